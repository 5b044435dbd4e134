import type { NextRequest } from "next/server";
import { begin } from "@/lib/begin";

export const GET = (request: NextRequest) => begin(request, "register");
