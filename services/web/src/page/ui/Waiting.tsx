import type { ReactNode } from 'react';

/** Something is on its way and says what. Only shown when it takes a moment, so that quick answers do not flicker. */
export function Waiting({ children }: { children: ReactNode }) {
  return (
    <p className="waiting" role="status">
      <span className="pulse" aria-hidden="true" />
      {children}
    </p>
  );
}
