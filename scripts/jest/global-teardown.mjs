/** Ends what global-setup started. */
export default async function globalTeardown() {
  await globalThis.sidestageTestParts?.stop();
}
