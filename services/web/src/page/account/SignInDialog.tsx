import { problemOf } from '@sidestage/client';
import { type FormEvent, useState } from 'react';
import { isGuest } from '../api/session.js';
import { useApp, useSession } from '../appContext.js';
import { accountWordsFor } from '../model/words.js';
import { Modal } from '../ui/Modal.js';

interface SignInDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** Sign in or make an account; what a guest said comes along either way. */
export default function SignInDialog({ open, onOpenChange }: SignInDialogProps) {
  const session = useSession();
  const [mode, setMode] = useState<'login' | 'register'>('login');
  const hasGuest = session !== null && isGuest(session.user);
  return (
    <Modal
      open={open}
      onOpenChange={onOpenChange}
      title={mode === 'login' ? 'Sign in' : 'Make an account'}
      description={hasGuest ? 'What you said as a guest comes along.' : undefined}
    >
      <SignInForm mode={mode} onDone={() => onOpenChange(false)} />
      <p className="modal-switch">
        {mode === 'login' ? 'New here?' : 'Have an account?'}{' '}
        <button type="button" className="link-button" onClick={() => setMode(mode === 'login' ? 'register' : 'login')}>
          {mode === 'login' ? 'Make an account' : 'Sign in'}
        </button>
      </p>
    </Modal>
  );
}

function SignInForm({ mode, onDone }: { mode: 'login' | 'register'; onDone: () => void }) {
  const { session } = useApp();
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<{ mode: typeof mode; why: string } | null>(null);
  const failure = refused?.mode === mode ? refused.why : null;
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const field = (name: string) => String(form.get(name) ?? '').trim();
    const fields = { email: field('email'), password: String(form.get('password') ?? '') };
    setBusy(true);
    setRefused(null);
    try {
      if (mode === 'login') await session.login(fields);
      else await session.register({ ...fields, ...(field('name') && { display_name: field('name') }) });
      onDone();
    } catch (error) {
      setRefused({ mode, why: accountWordsFor(problemOf(error)) });
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="form" onSubmit={submit}>
      {mode === 'register' && (
        <label className="field">
          <span>Name, if you like</span>
          <input name="name" autoComplete="name" maxLength={80} />
        </label>
      )}
      <label className="field">
        <span>E-mail</span>
        <input name="email" type="email" autoComplete="email" required maxLength={254} />
      </label>
      <label className="field">
        <span>Password</span>
        <input
          name="password"
          type="password"
          autoComplete={mode === 'login' ? 'current-password' : 'new-password'}
          required
          minLength={mode === 'register' ? 8 : undefined}
          maxLength={200}
          aria-describedby={mode === 'register' ? 'password-rule' : undefined}
        />
        {mode === 'register' && <small id="password-rule">At least 8 characters.</small>}
      </label>
      {failure && (
        <p className="form-error" role="alert">
          {failure}
        </p>
      )}
      <button type="submit" className="button button-strong" disabled={busy}>
        {busy ? 'One moment' : mode === 'login' ? 'Sign in' : 'Make the account'}
      </button>
    </form>
  );
}
