import { use } from 'react';
import { MenuButton } from './MenuButton.js';
import { ShellContext } from './shellContext.js';
import { Wordmark } from './Wordmark.js';

/** The name, where the left column that carries it is away. */
export function TopBar() {
  if (!use(ShellContext).hasMenuButton) return null;
  return (
    <div className="top-bar">
      <MenuButton />
      <Wordmark />
    </div>
  );
}
