"use server";

import { redirect } from "next/navigation";
import { visitor } from "@/lib/person";
import { call } from "@/lib/service";

/** Log one of the person's devices out. */
export async function end(form: FormData): Promise<void> {
  const person = await visitor();
  if (typeof person !== "object") redirect("/devices"); // which says what to do
  const id = encodeURIComponent(String(form.get("id")));
  const headers = { Authorization: `Bearer ${person.token}` };
  const answer = await call(`sessions/${id}/`, { method: "DELETE", headers });
  // 404: it has ended meanwhile, as the person wants it.
  const hasEnded = answer?.status === 204 || answer?.status === 404;
  redirect(hasEnded ? "/devices?said=ended" : "/devices?said=not-ended");
}
