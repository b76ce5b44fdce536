import * as Menu from '@radix-ui/react-dropdown-menu';
import { Keyboard, LogOut, Monitor, Moon, Sun, UserX } from 'lucide-react';
import { AccountButton } from './AccountButton.js';
import { chooseTheme, type Theme, useTheme } from './theme.js';

export interface AccountMenuProps {
  name: string;
  detail: string | null;
  onKeys: () => void;
  onSignOut: (() => void) | null;
  signOutWords: string;
  onDelete: (() => void) | null;
}

/** Comes with the first press of its button, so it begins open. */
export default function AccountMenu({ name, detail, onKeys, onSignOut, signOutWords, onDelete }: AccountMenuProps) {
  const theme = useTheme();
  return (
    <Menu.Root modal={false} defaultOpen>
      <Menu.Trigger asChild>
        <AccountButton name={name} detail={detail} />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Content className="menu" side="top" align="start" sideOffset={8} collisionPadding={8}>
          <Menu.Label className="menu-label">Look</Menu.Label>
          <Menu.RadioGroup value={theme} onValueChange={(value) => chooseTheme(value as Theme)}>
            <Menu.RadioItem className="menu-item" value="system">
              <Monitor aria-hidden="true" /> As the system
            </Menu.RadioItem>
            <Menu.RadioItem className="menu-item" value="light">
              <Sun aria-hidden="true" /> Light
            </Menu.RadioItem>
            <Menu.RadioItem className="menu-item" value="dark">
              <Moon aria-hidden="true" /> Dark
            </Menu.RadioItem>
          </Menu.RadioGroup>
          <Menu.Separator className="menu-line" />
          <Menu.Item className="menu-item" onSelect={onKeys}>
            <Keyboard aria-hidden="true" /> Keys
          </Menu.Item>
          {onSignOut && (
            <Menu.Item className="menu-item" onSelect={onSignOut}>
              <LogOut aria-hidden="true" /> {signOutWords}
            </Menu.Item>
          )}
          {onDelete && (
            <Menu.Item className="menu-item menu-danger" onSelect={onDelete}>
              <UserX aria-hidden="true" /> Delete the account
            </Menu.Item>
          )}
        </Menu.Content>
      </Menu.Portal>
    </Menu.Root>
  );
}
