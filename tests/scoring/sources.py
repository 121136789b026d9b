"""Functions in the six languages of RepoQA, written for these tests."""

from __future__ import annotations

CLIP = '''def clip(values, low, high):
    """Limit every value to the range from low to high."""
    out = []
    for value in values:
        if value < low:
            value = low
        elif value > high:
            value = high
        out.append(value)
    return out'''

FUNCTIONS: dict[str, dict[str, str]] = {
    "python": {
        "clip": CLIP,
        "window": '''def window(items, width):
    # slide over the items
    start = 0
    while start + width <= len(items):
        yield items[start : start + width]
        start += 1''',
        "total": '''async def total(rows):
    def one(row):
        return sum(cell for cell in row if cell is not None)

    return [one(row) async for row in rows]''',
        "Stack.push": '''    def push(self, item):
        self.items.append(item)
        self.size += 1
        return self''',
    },
    "java": {
        "limit": '''public static int limit(int value, int low, int high) {
    // keep the value inside the range
    if (value < low) {
        return low;
    }
    return value > high ? high : value;
}''',
        "join": '''@Override
private String join(List<String> parts, char mark) {
    StringBuilder text = new StringBuilder();
    for (String part : parts) {
        text.append(part).append(mark);
    }
    return text.toString();
}''',
        "Box": '''class Box<T> {
    private T held;
    Box(T held) { this.held = held; }
    T open() { return held; }
}''',
    },
    "typescript": {
        "limit": '''export function limit(value: number, low: number, high: number): number {
  if (value < low) {
    return low;
  }
  return value > high ? high : value;
}''',
        "pairs": '''const pairs = <T>(items: T[]): [T, T][] => {
  const out: [T, T][] = [];
  for (let i = 0; i + 1 < items.length; i++) out.push([items[i], items[i + 1]]);
  return out;
};''',
        "gather": '''async function gather<T>(jobs: Promise<T>[]): Promise<T[]> {
  const done: T[] = [];
  for (const job of jobs) {
    done.push(await job);
  }
  return done;
}''',
        "open": '''  open(name: string, mode?: Mode): Handle {
    this.names.push(name);
    return new Handle(name, mode ?? "read");
  }''',
    },
    "rust": {
        "limit": '''pub fn limit(value: i64, low: i64, high: i64) -> i64 {
    if value < low {
        return low;
    }
    if value > high { high } else { value }
}''',
        "longest": '''impl<'a> Text<'a> {
    /// The longest word.
    pub fn longest(&self) -> Option<&'a str> {
        self.words.iter().copied().max_by_key(|word| word.len())
    }
}''',
    },
    "cpp": {
        "limit": '''static inline int limit(int value, int low, int high) {
    if (value < low) {
        return low;
    }
    return value > high ? high : value;
}''',
        "Box::open": '''template <typename T>
T& Box<T>::open() {
    if (!held_) {
        throw std::runtime_error("empty box");
    }
    return *held_;
}''',
        "first": '''const char *first(const std::vector<const char *> &names) {
    return names.empty() ? nullptr : names.front();
}''',
    },
    "go": {
        "limit": '''func limit(value, low, high int) int {
	if value < low {
		return low
	}
	if value > high {
		return high
	}
	return value
}''',
        "Push": '''func (s *Stack) Push(item string) error {
	if len(s.items) == cap(s.items) {
		return errors.New("full")
	}
	s.items = append(s.items, item)
	return nil
}''',
    },
}  # fmt: skip

# Cut or broken code and things that are no function, on which grammars recover differently.
CLIPPED: dict[str, list[str]] = {
    "python": ["x = 3\nprint(x)", "def broken(:\n    return 1", "class A:\n    def f(self): return 1\n    def g(self): "
                                       "return 2", "@cached\ndef f(): ..."],
    "java": ["int x = 3;", "public int half(int x) { return x / "
                           "2", "interface A { int f(int x); default int g() { return 1; } "
                                "}", "void f(int a) { g(a); }"],
    "typescript": ["let x = 3;", "function half(x: number { return x / 2; "
                                 "}", "export default function () { return 1; "
                                      "}", "declare function f(x: number): void;"],
    "rust": ["let x = 3;", "fn half(x: i64) -> i64 { x / "
                           "2", "trait A { fn f(&self); fn g(&self) -> i64 { 1 } "
                                "}", "mod a { async fn f() {} }"],
    "cpp": ["int x = 3;", "int half(int x) { return x / "
                          "2;", "class A { int f() { return 1; } "
                                "};", "namespace n { void f() {} "
                                      "}", "int operator+(A a, A b) { return 1; }"],
    "go": ["var x = 3", "func half(x int) int { return x / "
                        "2", "package a\n\nfunc main() {\n\tf := func() int { return 1 "
                             "}\n\tf()\n}", "func (a A) F() {}"],
}  # fmt: skip

NOTES = (
    "The function you describe limits every value to a range and returns a list.",
    "Sure, here is the exact function from the code context above:",
    "I could not find it, but this one is near.",
)
