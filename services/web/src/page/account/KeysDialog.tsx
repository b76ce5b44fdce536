import { Modal } from '../ui/Modal.js';

const keys: [string[], string][] = [
  [['Enter'], 'Send'],
  [['Shift', 'Enter'], 'A new line'],
  [['Esc'], 'Stop the reply, or close what is open'],
  [['/'], 'To the message field'],
  [['↑'], 'In an empty field: your last message again'],
  [['1', '…', '9'], 'Open a citation of the reply'],
];

export default function KeysDialog({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  return (
    <Modal open={open} onOpenChange={onOpenChange} title="Keys">
      <dl className="keys">
        {keys.map(([strokes, meaning]) => (
          <div key={meaning}>
            <dt>
              {strokes.map((stroke) => (
                <kbd key={stroke}>{stroke}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
