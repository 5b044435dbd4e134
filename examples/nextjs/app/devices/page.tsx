import { visitor } from "@/lib/person";
import { call } from "@/lib/service";
import { words } from "@/lib/words";
import { NotHere, Said } from "../notices";
import { end } from "./actions";

type Session = { id: number; last_used_at: string; address: string; user_agent: string; current: boolean };
type Props = { searchParams: Promise<{ said?: string }> };

export default async function Devices({ searchParams }: Props) {
  const { language, t } = await words();
  const { said } = await searchParams;
  const person = await visitor();
  if (typeof person !== "object") return <NotHere state={person} path="/devices" />;
  const answer = await call("sessions/", { headers: { Authorization: `Bearer ${person.token}` } });
  if (answer?.status === 401) return <NotHere state={undefined} path="/devices" />;
  if (answer?.status !== 200) return <NotHere state="away" path="/devices" />;
  const sessions: Session[] = await answer.json();
  return (
    <>
      {said === "ended" && <Said text={t.saidEnded} />}
      {said === "not-ended" && <Said text={t.saidNotEnded} isError />}
      <h1>{t.devices}</h1>
      <p>{t.devicesWhy} {t.devicesTwice}</p>
      <ul className="rows">
        {sessions.map((session) => {
          const name = deviceName(session.user_agent) ?? t.unknownDevice;
          return (
            <li key={session.id}>
              <div>
                <p><strong>{name}</strong>{session.current && <span className="badge">{t.thisDevice}</span>}</p>
                <p className="hint">{t.lastUsed(ago(session.last_used_at, language), session.address)}</p>
              </div>
              {!session.current && (
                <form action={end}>
                  <input type="hidden" name="id" value={session.id} />
                  <button className="button danger" aria-label={t.endDevice(name)}>{t.end}</button>
                </form>
              )}
            </li>
          );
        })}
      </ul>
    </>
  );
}

function deviceName(userAgent: string): string | undefined {
  const browser = /(Edg|Firefox|OPR|Chromium|Chrome|Safari)\w*\//.exec(userAgent)?.[1];
  const system = /Android|iPhone|iPad|Windows|Mac OS X|CrOS|Linux/.exec(userAgent)?.[0];
  const plain = { Edg: "Edge", OPR: "Opera", "Mac OS X": "macOS", CrOS: "ChromeOS" } as Record<string, string>;
  if (!browser) return /^[\w.-]{2,40}/.exec(userAgent)?.[0];
  return [browser, system].filter(Boolean).map((word) => plain[word!] ?? word).join(", ");
}

function ago(moment: string, language: string): string {
  const minutes = Math.round((Date.parse(moment) - Date.now()) / 60_000);
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  if (minutes > -60) return format.format(Math.min(minutes, 0), "minute");
  return minutes > -24 * 60 ? format.format(Math.round(minutes / 60), "hour") : format.format(Math.round(minutes / 1440), "day");
}
