import { Link } from 'wouter';

export function NotFound({ what = 'This page' }: { what?: string }) {
  return (
    <main className="notice-page" id="main">
      <h1>{what} is not here</h1>
      <p>It may have been deleted, or the address has a slip in it.</p>
      <Link className="button" href="/">
        To the creators
      </Link>
    </main>
  );
}
