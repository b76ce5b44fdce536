import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { TopBar } from '../shell/TopBar.js';

/** A whole page that says something and offers a way on. */
export function NoticePage({ title, text, children }: { title: string; text: string; children: ReactNode }) {
  return (
    <main className="notice-frame" id="main">
      <TopBar />
      <div className="notice-page">
        <h1>{title}</h1>
        <p>{text}</p>
        {children}
      </div>
    </main>
  );
}

export function NotFound({ what = 'This page' }: { what?: string }) {
  return (
    <NoticePage title={`${what} is not here`} text="It may have been deleted, or the address has a slip in it.">
      <Link className="button" href="/">
        To the creators
      </Link>
    </NoticePage>
  );
}
