import { ChevronsUpDown, UserRound } from 'lucide-react';
import type { ComponentProps } from 'react';

interface AccountButtonProps extends ComponentProps<'button'> {
  name: string;
  detail: string | null;
}

/** Who is here; opens the account's menu. */
export function AccountButton({ name, detail, ...button }: AccountButtonProps) {
  return (
    <button type="button" className="column-row account-button" {...button}>
      <UserRound aria-hidden="true" />
      <span className="row-words">
        {name}
        {detail && <small>{detail}</small>}
      </span>
      <ChevronsUpDown aria-hidden="true" className="account-arrows" />
    </button>
  );
}
