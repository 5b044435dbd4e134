import type { Metadata, Viewport } from "next";
import Link from "next/link";
import type { ReactNode } from "react";
import { visitor } from "@/lib/person";
import { words } from "@/lib/words";
import "./style.css";

export const metadata: Metadata = { title: "loguserapp · Next.js" };
export const viewport: Viewport = { colorScheme: "light dark" };

export default async function Layout({ children }: { children: ReactNode }) {
  const { language, t } = await words();
  const person = await visitor();
  return (
    <html lang={language}>
      <body>
        <a className="skip" href="#main">{t.skip}</a>
        <header>
          <Link className="brand" href="/">
            {/* eslint-disable-next-line @next/next/no-img-element */}
            <img src="/icon.svg" alt="" width="40" height="40" />
            Next.js
          </Link>
          <nav aria-label={t.main}>
            <Link href="/resource">{t.resource}</Link>
            <Link href="/notes">{t.notes}</Link>
            <Link href="/devices">{t.devices}</Link>
            {person ? (
              <form action="/logout" method="post">
                <button className="plain">{t.logOut}</button>
              </form>
            ) : (
              <a href="/login">{t.logIn}</a>
            )}
          </nav>
        </header>
        <main id="main" tabIndex={-1}>{children}</main>
      </body>
    </html>
  );
}
