import * as AlertDialog from '@radix-ui/react-alert-dialog';
import { problemOf } from '@sidestage/client';
import { useState } from 'react';

interface ConfirmProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  text: string;
  action: string;
  /** The dialog stays with a message when it throws. */
  onConfirm: () => Promise<void>;
}

/** Asks before something that cannot be undone. */
export default function Confirm({ open, onOpenChange, title, text, action, onConfirm }: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const confirm = async () => {
    setBusy(true);
    setFailure(null);
    try {
      await onConfirm();
      onOpenChange(false);
    } catch (error) {
      setFailure(`That did not work: ${problemOf(error).title}.`);
    } finally {
      setBusy(false);
    }
  };
  return (
    <AlertDialog.Root open={open} onOpenChange={onOpenChange}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="overlay" />
        <AlertDialog.Content className="modal">
          <AlertDialog.Title className="modal-title">{title}</AlertDialog.Title>
          <AlertDialog.Description className="modal-text">{text}</AlertDialog.Description>
          {failure && (
            <p className="form-error" role="alert">
              {failure}
            </p>
          )}
          <div className="modal-actions">
            <AlertDialog.Cancel className="button">Keep it</AlertDialog.Cancel>
            <button type="button" className="button button-danger" onClick={confirm} disabled={busy}>
              {busy ? 'Deleting' : action}
            </button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
