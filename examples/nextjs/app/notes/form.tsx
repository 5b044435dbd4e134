"use client";

import { useActionState } from "react";
import { add, type Kept } from "./actions";

type Labels = Record<"note" | "hint" | "add" | "adding" | NonNullable<Kept["problem"]>, string>;

export function NoteForm({ labels }: { labels: Labels }) {
  const [kept, action, isPending] = useActionState(add, { text: "" });
  return (
    <form action={action} className="stack">
      <label htmlFor="text">{labels.note}</label>
      <textarea
        id="text" name="text" rows={3} maxLength={2000} required key={kept.text} defaultValue={kept.text}
        aria-describedby="text-note" aria-invalid={kept.problem ? true : undefined}
      />
      <p id="text-note" className={kept.problem ? "hint error" : "hint"} role="status">
        {kept.problem ? labels[kept.problem] : labels.hint}
      </p>
      <button className="button primary" aria-disabled={isPending}>
        {isPending ? labels.adding : labels.add}
      </button>
    </form>
  );
}
