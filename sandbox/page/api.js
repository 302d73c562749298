// Requests to the sandbox behind the stage. A refusal is an Error with what the sandbox said.

async function answered(response) {
  if (response.ok) return response.json();
  const text = await response.text();
  let why = text;
  try {
    why = JSON.parse(text).error ?? text;
  } catch {
    // Not every refusal is JSON.
  }
  throw Object.assign(new Error(why || response.statusText), { status: response.status });
}

export const get = async (path) => answered(await fetch(`/sandbox/${path}`));

export const post = async (path, body = {}) =>
  answered(await fetch(`/sandbox/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));

export const upload = async (file) =>
  answered(await fetch(`/sandbox/uploads?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file }));

export const act = (kind, fields) => post("acts", { kind, ...fields });

export function messageId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `om_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
