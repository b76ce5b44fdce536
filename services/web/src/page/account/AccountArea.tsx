import { lazy, Suspense, useState } from 'react';
import { isGuest } from '../api/session.js';
import { useApp, useSession } from '../appContext.js';
import { AccountButton } from './AccountButton.js';

// Fetched when somebody goes near it: none of it is needed to see the creators.
const fetchMenu = () => import('./AccountMenu.js');
const fetchMenuAhead = () => void fetchMenu().catch(() => undefined);
const AccountMenu = lazy(fetchMenu);
const Confirm = lazy(() => import('../ui/Confirm.js'));
const KeysDialog = lazy(() => import('./KeysDialog.js'));
const SignInDialog = lazy(() => import('./SignInDialog.js'));

type Open = 'none' | 'sign-in' | 'delete' | 'keys';

/** The foot of the left column: who is here, signing in, theme, keys, leaving. */
export function AccountArea() {
  const { gateway, session: store } = useApp();
  const session = useSession();
  const [open, setOpen] = useState<Open>('none');
  const [menuUsed, setMenuUsed] = useState(false);
  const close = () => setOpen('none');
  const guest = !session || isGuest(session.user);
  const label = {
    name: !session ? 'Settings' : guest ? 'Guest' : session.user.display_name || (session.user.email ?? ''),
    detail: session && !guest ? `${session.user.tier} tier` : null,
  };
  return (
    <div className="account">
      {guest && (
        <div className="account-invite">
          <p>
            {session
              ? 'You are here as a guest. Sign in to keep what you said.'
              : store.ended
                ? 'Your visit has ended. Sign in to go on.'
                : 'Press any question to begin. No account needed.'}
          </p>
          <button type="button" className="button" onClick={() => setOpen('sign-in')}>
            Sign in
          </button>
        </div>
      )}
      {menuUsed ? (
        <Suspense fallback={<AccountButton {...label} />}>
          <AccountMenu
            {...label}
            onKeys={() => setOpen('keys')}
            onSignOut={session ? () => void store.logout() : null}
            signOutWords={guest ? 'End the guest visit' : 'Sign out'}
            onDelete={session ? () => setOpen('delete') : null}
          />
        </Suspense>
      ) : (
        <AccountButton
          {...label}
          aria-haspopup="menu"
          onPointerEnter={fetchMenuAhead}
          onFocus={fetchMenuAhead}
          onClick={() => setMenuUsed(true)}
        />
      )}
      <Suspense>
        {open === 'sign-in' && <SignInDialog open onOpenChange={close} />}
        {open === 'keys' && <KeysDialog open onOpenChange={close} />}
        {open === 'delete' && (
          <Confirm
            open
            onOpenChange={close}
            title={guest ? 'Erase everything you said?' : 'Delete your account?'}
            text="Your profile and all your conversations are erased. This cannot be undone."
            action={guest ? 'Erase' : 'Delete the account'}
            onConfirm={() => gateway.deleteAccount()}
          />
        )}
      </Suspense>
    </div>
  );
}
