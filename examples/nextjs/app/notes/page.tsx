import { listNotes } from "@/lib/notes";
import { visitor } from "@/lib/person";
import { words } from "@/lib/words";
import { NotHere, Said } from "../notices";
import { NoteForm } from "./form";

type Props = { searchParams: Promise<{ added?: string }> };

export default async function Notes({ searchParams }: Props) {
  const { language, t } = await words();
  const { added } = await searchParams;
  const person = await visitor();
  if (typeof person !== "object") return <NotHere state={person} path="/notes" />;
  const notes = await listNotes(person.token);
  if (notes === "over") return <NotHere state={undefined} path="/notes" />;
  const when = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
  return (
    <>
      <h1>{t.notes}</h1>
      <NoteForm
        key={added} // empty again after a note was added
        labels={{
          note: t.note, hint: t.noteHint, add: t.add, adding: t.adding,
          refused: t.noteRefused, over: t.noteOver, away: t.noteAway,
        }}
      />
      {notes === "away" && <Said text={t.notesAway} isError />}
      {notes !== "away" && notes.length === 0 && <p>{t.noNotes}</p>}
      <ul className="rows">
        {notes !== "away" && notes.map((note) => (
          <li key={note.id}>
            <div>
              <p className="text">{note.text}</p>
              <p className="hint">{when.format(new Date(note.created_at))} UTC</p>
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}
