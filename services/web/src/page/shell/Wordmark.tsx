/** The name with its sign: a stage edge and a play mark. */
export function Wordmark() {
  return (
    <span className="wordmark">
      <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
        <rect x="2" y="3" width="2.4" height="14" rx="1.2" fill="currentColor" />
        <path
          d="M7 4.2v11.6a.9.9 0 0 0 1.37.76l9.2-5.8a.9.9 0 0 0 0-1.52l-9.2-5.8A.9.9 0 0 0 7 4.2Z"
          fill="currentColor"
        />
      </svg>
      Sidestage
    </span>
  );
}
