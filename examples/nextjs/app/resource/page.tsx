import { visitor } from "@/lib/person";
import { words } from "@/lib/words";
import { NotHere } from "../notices";

export default async function Resource() {
  const { t } = await words();
  const person = await visitor();
  if (typeof person !== "object") return <NotHere state={person} path="/resource" />;
  return (
    <div className="card reward">
      {/* eslint-disable-next-line @next/next/no-img-element */}
      <img src="/icon.svg" alt="" width="160" height="160" />
      <h1>{t.success}</h1>
      <p>{t.successWhy(person.id)}</p>
    </div>
  );
}
