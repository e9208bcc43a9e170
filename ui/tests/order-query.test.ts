import { expect, test } from "vitest";
import { wanted } from "../src/pages/work-orders/query";

const asked = (url: string) => wanted(new URLSearchParams(url), "gopal").toString();

test("without a word about states a view holds what is not over", () => {
  expect(asked("")).toBe(
    "state=draft&state=open&state=assigned&state=in_progress&state=on_hold&state=reopened&state=done",
  );
  expect(asked("state=all")).toBe("");
  expect(asked("state=closed&state=done")).toBe("state=closed&state=done");
});

test("filters of the address are those of the server", () => {
  expect(asked("state=all&pri=1&pri=2&overdue=1&mine=1&q=leak&asset=A%2FB&sort=due")).toBe(
    "priority=1&priority=2&serial_number=A%2FB&overdue=true&assignee=gopal&q=leak&sort=due",
  );
  expect(asked("state=all&sort=-nonsense&assignee=ravi")).toBe("assignee=ravi");
});
