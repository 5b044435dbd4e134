import { words } from "@/lib/words";

/** What a page shows to a person who is not logged in, or of whom only the service could tell. */
export async function NotHere({ state, path }: { state: "away" | undefined; path: string }) {
  const { t } = await words();
  return state === "away" ? (
    <Notice title={t.away} text={t.awayWhy} link={path} label={t.again} />
  ) : (
    <Notice title={t.needsLogin} text={t.needsLoginWhy} link={`/login?next=${path}`} label={t.logIn} />
  );
}

type NoticeProps = { title: string; text: string; link: string; label: string };

export function Notice({ title, text, link, label }: NoticeProps) {
  return (
    <div className="card">
      <h1>{title}</h1>
      <p>{text}</p>
      <p>
        {/* Not <Link>: it would fetch the address beforehand, and /login begins a login. */}
        <a className="button primary" href={link}>{label}</a>
      </p>
    </div>
  );
}

export function Said({ text, isError = false }: { text: string; isError?: boolean }) {
  return (
    <p className={isError ? "said error" : "said"} role="status">
      {isError ? "! " : "✓ "}
      {text}
    </p>
  );
}
