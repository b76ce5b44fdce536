import { Menu } from 'lucide-react';
import { use } from 'react';
import { ShellContext } from './shellContext.js';

export function MenuButton() {
  const { hasMenuButton, openMenu } = use(ShellContext);
  if (!hasMenuButton) return null;
  return (
    <button type="button" className="icon-button" aria-label="Creators and conversations" onClick={openMenu}>
      <Menu aria-hidden="true" />
    </button>
  );
}
