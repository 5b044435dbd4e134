import { NextResponse } from "next/server";

/** Lead on to a page of this front end, wherever it is served: the address has no host. */
export function leadTo(path: string): NextResponse {
  return new NextResponse(null, { status: 303, headers: { Location: path, "Cache-Control": "no-store" } });
}
