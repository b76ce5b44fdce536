import * as Dialog from '@radix-ui/react-dialog';
import { type ReactNode, useEffect, useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { useMedia, wideQuery } from '../hooks.js';
import { Sidebar } from './Sidebar.js';
import { ShellContext } from './shellContext.js';

/** The left column (a drawer where there is no room for it) and what the page shows beside it. */
export function Shell({ children }: { children: ReactNode }) {
  const wide = useMedia(wideQuery);
  const [drawerOpen, setDrawerOpen] = useState(false);
  const [collapsed, setCollapsed] = useState(() => localStorage.getItem('sidestage.column') === 'collapsed');
  const [location] = useLocation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another place closes the drawer
  useEffect(() => setDrawerOpen(false), [location]);
  const value = useMemo(
    () => ({
      hasMenuButton: !wide || collapsed,
      openMenu: () => {
        if (wide) {
          setCollapsed(false);
          localStorage.removeItem('sidestage.column');
        } else setDrawerOpen(true);
      },
      collapse: () => {
        if (wide) {
          setCollapsed(true);
          localStorage.setItem('sidestage.column', 'collapsed');
        } else setDrawerOpen(false);
      },
    }),
    [wide, collapsed],
  );
  return (
    <ShellContext value={value}>
      <a className="skip-link" href="#main">
        To the content
      </a>
      <div className="shell">
        {wide && !collapsed && <Sidebar />}
        {!wide && (
          <Dialog.Root open={drawerOpen} onOpenChange={setDrawerOpen}>
            <Dialog.Portal>
              <Dialog.Overlay className="overlay" />
              <Dialog.Content className="drawer" aria-describedby={undefined}>
                <Dialog.Title className="visually-hidden">Creators and conversations</Dialog.Title>
                <Sidebar />
              </Dialog.Content>
            </Dialog.Portal>
          </Dialog.Root>
        )}
        {children}
      </div>
    </ShellContext>
  );
}
