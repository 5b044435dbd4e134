import { words } from "@/lib/words";
import { Notice } from "./notices";

export default async function NotFound() {
  const { t } = await words();
  return <Notice title={t.notFound} text={t.notFoundWhy} link="/" label={t.home} />;
}
