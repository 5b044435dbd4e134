"use server";

import { redirect } from "next/navigation";
import { addNote } from "@/lib/notes";
import { visitor } from "@/lib/person";

export type Kept = { text: string; problem?: "refused" | "over" | "away" };

/** Save a note. What was typed comes back where it could not be saved. */
export async function add(_before: Kept, form: FormData): Promise<Kept> {
  const text = String(form.get("text") ?? "");
  const person = await visitor();
  if (person === "away") return { text, problem: "away" };
  if (!person) return { text, problem: "over" };
  const outcome = await addNote(person.token, text);
  if (typeof outcome === "string") return { text, problem: outcome };
  redirect(`/notes?added=${outcome.id}`); // so that reloading the page adds nothing
}
