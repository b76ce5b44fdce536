import { createContext } from 'react';

export interface ShellParts {
  /** The left column is away, so a button has to bring it. */
  hasMenuButton: boolean;
  openMenu: () => void;
  collapse: () => void;
}

export const ShellContext = createContext<ShellParts>({
  hasMenuButton: false,
  openMenu: () => undefined,
  collapse: () => undefined,
});
