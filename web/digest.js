/** The SHA-256 of a content, computed in this browser, so that it can be asked for before anything is uploaded. */

/** crypto.subtle reads a whole content into memory: larger ones are not hashed here. */
export const MOST = 256_000_000;

/** Why this browser cannot tell the digest of *size* bytes: "insecure" or "large"; null when it can. */
export function obstacle(size) {
  // Browsers offer it to pages from https and localhost only.
  if (!globalThis.crypto?.subtle) return "insecure";
  return size > MOST ? "large" : null;
}

/** The digest of *content* in hexadecimal. Rejects when it cannot be read: a file may be gone by now. */
export async function sha256(content) {
  const digest = await crypto.subtle.digest("SHA-256", await content.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
