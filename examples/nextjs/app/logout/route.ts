import type { NextRequest, NextResponse } from "next/server";
import { ACCESS, forget, REFRESH } from "@/lib/cookies";
import { isOwnForm } from "@/lib/own-form";
import { leadTo } from "@/lib/redirect";
import { logOut } from "@/lib/service";

export async function POST(request: NextRequest): Promise<NextResponse> {
  if (!isOwnForm(request)) return leadTo("/refused?why=form");
  const token = request.cookies.get(REFRESH)?.value;
  const hasEnded = token ? await logOut(token) : true;
  const response = leadTo(hasEnded ? "/?said=out" : "/?said=out-here");
  forget(response.cookies, ACCESS, REFRESH);
  return response;
}

/** Somebody reopens the address of the button. */
export const GET = () => leadTo("/");
