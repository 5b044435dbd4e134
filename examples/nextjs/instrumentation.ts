/** Runs once at the start: a wrong setting is told there, not at the first request. */
export async function register(): Promise<void> {
  await import("./lib/settings");
}
