import Link from "next/link";
import { visitor } from "@/lib/person";
import { call } from "@/lib/service";
import { words } from "@/lib/words";
import { Said } from "./notices";

type Props = { searchParams: Promise<{ said?: string }> };

export default async function Home({ searchParams }: Props) {
  const { t } = await words();
  const { said } = await searchParams;
  const person = await visitor();
  if (person === "away") {
    return (
      <>
        <h1>{t.away}</h1>
        <p>{t.awayWhy}</p>
        <a className="button primary" href="/">{t.again}</a>
      </>
    );
  }
  if (!person) {
    return (
      <>
        {said === "out" && <Said text={t.saidOut} />}
        {said === "out-here" && <Said text={t.saidOutHere} isError />}
        <h1>{t.hello}</h1>
        <p className="lead">{t.leadOut}</p>
        <p className="actions">
          <a className="button primary" href="/login">{t.logIn}</a>
          <a className="button" href="/register">{t.register}</a>
        </p>
      </>
    );
  }
  const name = await username(person.token);
  return (
    <>
      <h1>{name ? t.helloName(name) : t.hello}</h1>
      <p className="lead">{t.lead}</p>
      <Link className="button primary" href="/resource">{t.go}</Link>
    </>
  );
}

/** A token has no name in it. Without the service the page greets without one. */
async function username(token: string): Promise<string | undefined> {
  const answer = await call("me/", { headers: { Authorization: `Bearer ${token}` } });
  return answer?.status === 200 ? (await answer.json()).username : undefined;
}
