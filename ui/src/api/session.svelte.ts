/** Who uses the dashboard. The access token lives in memory, the refresh token in a cookie that no script can read. */

import type { Role } from "../live/frames";
import { Problem, sendAs } from "./client";

interface Token {
  access_token: string;
  expires_in: number;
  refresh_token?: string | null;
  must_change?: boolean;
}
interface Me {
  username: string;
  role: Role;
  domains: string[] | null;
}

// `away`: no server says yet whether the login of before goes on; `out`: nobody; `expired`: somebody whose
// login has ended, the page stays as it is.
export type Standing = "unknown" | "away" | "out" | "in" | "expired";

const ROLES: Role[] = ["viewer", "operator", "engineer", "admin"];
const KNOWN = "ic3.loggedIn";
const RENEW_BEFORE_MS = 30_000;
const ASK_AGAIN_MS = 3_000;
// A cookie marked Secure is not kept over plain http from another machine: then the token stays in memory.
const cookies = isSecureContext;

let standing = $state<Standing>("unknown");
let who = $state<Me | null>(null);
let mustChange = $state(false);
let token: string | null = null;
let endsAt = 0;
let refreshToken: string | null = null;
let renewing: Promise<string> | null = null;

export const session = {
  get standing(): Standing {
    return standing;
  },
  get username(): string {
    return who?.username ?? "";
  },
  get role(): Role {
    return who?.role ?? "viewer";
  },
  get domains(): string[] | null {
    return who?.domains ?? null;
  },
  get mustChange(): boolean {
    return mustChange;
  },
  /** Whether the role may do what needs this one. Buttons a role may not use are absent. */
  can(role: Role): boolean {
    return who !== null && ROLES.indexOf(who.role) >= ROLES.indexOf(role);
  },
  /** Milliseconds until the token ends. */
  get lifeMs(): number {
    return endsAt - performance.now();
  },

  /** Continues the login of before, where there is one; asks until a server says whether it goes on. */
  async resume(): Promise<void> {
    if (!cookies || !localStorage.getItem(KNOWN)) {
      standing = "out";
      return;
    }
    while (!(await session.renewed(null).then(() => true, () => standing === "out"))) {
      standing = "away";
      await new Promise((again) => setTimeout(again, ASK_AGAIN_MS));
    }
  },

  async login(username: string, password: string): Promise<void> {
    const answer = await sendAs(null, "POST", "/api/auth/login", {
      body: { username, password, cookie: cookies },
    });
    await take((await answer.json()) as Token);
    if (cookies) localStorage.setItem(KNOWN, "1");
  },

  async logout(): Promise<void> {
    const mine = token;
    localStorage.removeItem(KNOWN);
    await sendAs(mine, "POST", "/api/auth/logout").catch(() => undefined);
    token = refreshToken = who = null;
    standing = "out";
  },

  /** Takes a token that came from confirming or changing the password. */
  take(answer: Token): Promise<void> {
    return take(answer);
  },

  /** A token that is good for a while. */
  async token(): Promise<string> {
    if (token !== null && session.lifeMs > RENEW_BEFORE_MS) return token;
    return session.renewed(token);
  },

  /** The token after this one; all who ask at once share one exchange, in every tab. */
  renewed(after: string | null): Promise<string> {
    if (token !== null && token !== after) return Promise.resolve(token);
    renewing ??= exchange().finally(() => (renewing = null));
    return renewing;
  },
};

async function exchange(): Promise<string> {
  // A refresh token works once: two tabs that sent the same one would end the login.
  const answer = navigator.locks
    ? await navigator.locks.request("ic3.refresh", askForNext)
    : await askForNext();
  await take(answer);
  return answer.access_token;
}

async function askForNext(): Promise<Token> {
  try {
    const answer = await sendAs(null, "POST", "/api/auth/refresh", {
      body: refreshToken === null ? {} : { refresh_token: refreshToken },
      headers: { "x-ic3-refresh": "1" },
    });
    return (await answer.json()) as Token;
  } catch (error) {
    if (error instanceof Problem && (error.status === 401 || error.status === 403)) {
      standing = who === null ? "out" : "expired";
      localStorage.removeItem(KNOWN);
    }
    throw error;
  }
}

async function take(answer: Token): Promise<void> {
  const ends = performance.now() + answer.expires_in * 1000;
  if (answer.refresh_token) refreshToken = answer.refresh_token;
  who = (await (await sendAs(answer.access_token, "GET", "/api/auth/me")).json()) as Me;
  token = answer.access_token;
  endsAt = ends;
  mustChange = answer.must_change ?? false;
  standing = "in";
}
