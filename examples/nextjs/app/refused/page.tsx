import { visitor } from "@/lib/person";
import { words } from "@/lib/words";
import { Notice } from "../notices";

type Props = { searchParams: Promise<{ why?: string }> };

/** Why a login or a form came to nothing, and what to do next. */
export default async function Refused({ searchParams }: Props) {
  const { t } = await words();
  const { why = "state" } = await searchParams;
  const [title, text] = Object.hasOwn(t.refused, why) ? t.refused[why as keyof typeof t.refused] : t.refused.state;
  // The Back button leads through the login of before once more: nothing is lost then.
  if (typeof (await visitor()) === "object" && why !== "form") {
    return <Notice title={t.already} text={t.alreadyWhy} link="/" label={t.home} />;
  }
  const isForm = why === "form";
  return <Notice title={title!} text={text!} link={isForm ? "/" : "/login"} label={isForm ? t.home : t.logIn} />;
}
