//! Computes how much memory a pickle would take, without building its values.
//!
//! A pickle is a program for a small stack machine. In Python, values are shared, so that the machine copies
//! nothing. `pytorch-reader`, however, copies a value whenever the program takes it from the memo or
//! duplicates it, so that a program of a hundred bytes that doubles a value in each step would fill any
//! memory. Here, the program is run on the sizes of values alone.

use super::budget::{Budget, Error, VALUE};
use std::collections::HashMap;
use std::io::{self, BufRead, Read};

/// The most decimal digits that an index in a list adds to the name of a tensor in it.
const INDEX: u64 = 20;

fn damaged<T>(at: u64, text: &str) -> Result<T, Error> {
    Err(Error::Damaged(format!("its pickle is damaged at byte {at}: {text}")))
}

/// The size of a value.
#[derive(Debug, Clone, Copy, Default)]
struct Value {
    /// The bytes in memory of the value and all values in it.
    bytes: u64,
    /// The number of tensors in it, and of values that may be tensors.
    tensors: u64,
    /// The bytes of the names of these tensors. A name is the path to the tensor within the value.
    names: u64,
    /// The bytes of a text, or of the longest text in a list.
    text: u64,
    /// The place of the value's copy in the memo, which `BUILD` replaces.
    memo: Option<u32>,
}

impl Value {
    /// A value without other values in it.
    fn plain(text: u64) -> Self {
        Self { bytes: VALUE.saturating_add(text), text, ..Self::default() }
    }

    /// Adds another value to this one. The names of its tensors grow by a key of this many bytes.
    fn hold(&mut self, other: Self, key: u64) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.tensors = self.tensors.saturating_add(other.tensors);
        let longer = other.tensors.saturating_mul(key + 1);
        self.names = self.names.saturating_add(other.names).saturating_add(longer);
    }

    /// Appends a value to a list. A list of two may stand for a key and a value of a dictionary, so that the
    /// longest text in the list counts as a possible key.
    fn push(&mut self, item: Self) {
        self.text = self.text.max(item.text);
        self.hold(item, self.text.max(INDEX));
    }

    /// Adds pairs of keys and values to a dictionary.
    fn insert(&mut self, items: &[Self]) {
        for pair in items.chunks(2) {
            let key = pair[0].text.max(INDEX);
            for &item in pair {
                self.hold(item, key);
            }
        }
    }
}

/// Runs one pickle up to its end, and charges the memory of its values to the budget.
pub(super) fn scan(input: &mut impl BufRead, budget: &mut Budget) -> Result<(), Error> {
    let mut machine = Machine {
        input,
        budget,
        at: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    while machine.step()? {}
    let root = machine.pop()?;
    // The reader makes a list of tensors by name, and each tensor keeps a copy of its name.
    let listed = root.tensors.saturating_mul(VALUE).saturating_add(root.names);
    budget.charge(listed.saturating_mul(2))
}

/// The stack machine, with sizes in place of values.
struct Machine<'a, R> {
    input: &'a mut R,
    budget: &'a mut Budget,
    at: u64,
    stack: Vec<Value>,
    /// The height of the stack at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
}

impl<R: BufRead> Machine<'_, R> {
    /// Executes one instruction, and returns `false` if it was the last one. The comments give the
    /// instructions' names in Python's `pickletools`.
    fn step(&mut self) -> Result<bool, Error> {
        let [code] = self.array()?;
        match code {
            b'.' => return Ok(false),
            // PROTO, FRAME.
            0x80 => drop(self.array::<1>()?),
            0x95 => drop(self.array::<8>()?),
            // NONE, NEWTRUE, NEWFALSE; the empty tuple, list, dictionary and set.
            b'N' | 0x88 | 0x89 | b')' | b']' | b'}' | 0x8f => self.make(Value::plain(0))?,
            // BININT1, BININT2, BININT, BINFLOAT.
            b'K' => self.number::<1>()?,
            b'M' => self.number::<2>()?,
            b'J' => self.number::<4>()?,
            b'G' => self.number::<8>()?,
            // INT, LONG, FLOAT, and UNICODE, whose text may have twice the bytes in memory.
            b'I' | b'L' | b'F' | b'V' => {
                let length = self.line()?;
                self.make(Value::plain(2 * length))?;
            }
            // LONG1, SHORT_BINUNICODE, SHORT_BINSTRING, SHORT_BINBYTES.
            0x8a | 0x8c | b'U' | b'C' => self.counted::<1>()?,
            // LONG4, BINUNICODE, BINSTRING, BINBYTES.
            0x8b | b'X' | b'T' | b'B' => self.counted::<4>()?,
            // BINUNICODE8, BINBYTES8, BYTEARRAY8.
            0x8d | 0x8e | 0x96 => self.counted::<8>()?,
            // GLOBAL.
            b'c' => {
                let length = self.line()? + self.line()?;
                self.make(Value { text: 0, ..Value::plain(length) })?;
            }
            // PERSID.
            b'P' => {
                let length = self.line()?;
                self.make(Value::plain(length))?;
            }
            b'(' => {
                self.budget.charge(size_of::<usize>() as u64)?;
                self.marks.push(self.stack.len());
            }
            // TUPLE, LIST, FROZENSET, DICT.
            b't' | b'l' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.list(&items)?;
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                let mut value = Value::plain(0);
                value.insert(&items);
                self.join(value)?;
            }
            // TUPLE1, TUPLE2, TUPLE3.
            0x85..=0x87 => {
                let mut items = [Value::default(); 3];
                let items = &mut items[..usize::from(code - 0x84)];
                for item in items.iter_mut().rev() {
                    *item = self.pop()?;
                }
                self.list(items)?;
            }
            // APPEND, APPENDS, ADDITEMS.
            b'a' => {
                let item = self.pop()?;
                self.top()?.push(item);
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                let top = self.top()?;
                for item in items {
                    top.push(item);
                }
            }
            // SETITEM, SETITEMS.
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.top()?.insert(&[key, value]);
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.top()?.insert(&items);
            }
            // POP, POP_MARK.
            b'0' if self.mark_on_top() => drop(self.marks.pop()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            // DUP.
            b'2' => {
                let top = *self.top()?;
                self.make(top)?;
            }
            // GET, BINGET, LONG_BINGET.
            b'g' | b'h' | b'j' => {
                let place = self.place(code == b'g', code == b'h')?;
                let Some(&value) = self.memo.get(&place) else {
                    return damaged(self.at, "it takes a value that was not kept");
                };
                self.make(value)?;
            }
            // PUT, BINPUT, LONG_BINPUT, MEMOIZE.
            b'p' | b'q' | b'r' | 0x94 => {
                let place = match code {
                    0x94 => self.memo.len() as u32,
                    _ => self.place(code == b'p', code == b'q')?,
                };
                let top = self.top()?;
                top.memo = Some(place);
                let value = *top;
                self.keep(place, value)?;
            }
            // STACK_GLOBAL, REDUCE: the result holds no more than the values from which it is made.
            0x93 | b'R' => {
                let argument = self.pop()?;
                let mut value = self.pop()?;
                value.hold(argument, 0);
                value.tensors += u64::from(code == b'R');
                self.join(Value { memo: None, text: 0, ..value })?;
            }
            // BINPERSID.
            b'Q' => {
                let value = self.pop()?;
                self.join(Value { memo: None, text: 0, ..value })?;
            }
            // NEWOBJ, NEWOBJ_EX: only the class's name is kept.
            0x81 | 0x92 => {
                for _ in 0..if code == 0x92 { 2 } else { 1 } {
                    self.pop()?;
                }
                let class = self.pop()?;
                self.join(Value { memo: None, text: 0, ..class })?;
            }
            // BUILD.
            b'b' => {
                let state = self.pop()?;
                let mut value = self.pop()?;
                value.hold(state, 0);
                if let Some(place) = value.memo {
                    self.keep(place, value)?;
                }
                self.join(Value { memo: None, text: 0, ..value })?;
            }
            _ => {
                return damaged(
                    self.at,
                    &format!("no checkpoint has the instruction 0x{code:02x}"),
                );
            }
        }
        Ok(true)
    }

    /// Pushes a new value, or a copy of one, whose memory is charged to the budget.
    fn make(&mut self, value: Value) -> Result<(), Error> {
        self.budget.charge(value.bytes)?;
        self.stack.push(value);
        Ok(())
    }

    /// Pushes a value that is made of values that were charged already, so that only the value itself is
    /// charged.
    fn join(&mut self, value: Value) -> Result<(), Error> {
        self.budget.charge(VALUE)?;
        self.stack.push(value);
        Ok(())
    }

    fn list(&mut self, items: &[Value]) -> Result<(), Error> {
        let mut value = Value::plain(0);
        for &item in items {
            value.push(item);
        }
        self.join(value)
    }

    /// Stores a copy of a value in the memo.
    fn keep(&mut self, place: u32, value: Value) -> Result<(), Error> {
        self.budget.charge(value.bytes)?;
        self.memo.insert(place, value);
        Ok(())
    }

    fn mark_on_top(&self) -> bool {
        self.marks.last() == Some(&self.stack.len())
    }

    fn top(&mut self) -> Result<&mut Value, Error> {
        let (at, marked) = (self.at, self.mark_on_top());
        match self.stack.last_mut() {
            Some(value) if !marked => Ok(value),
            _ => damaged(at, "it takes a value from an empty stack"),
        }
    }

    fn pop(&mut self) -> Result<Value, Error> {
        let value = *self.top()?;
        self.stack.pop();
        Ok(value)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, Error> {
        match self.marks.pop() {
            // `split_off` cannot panic: no value below a mark is popped, so that the stack is never lower
            // than a mark.
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => damaged(self.at, "it ends a list that did not begin"),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        if let Err(error) = self.input.read_exact(&mut bytes) {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof => damaged(self.at, "it ends before it is whole"),
                _ => Err(error.into()),
            };
        }
        self.at += N as u64;
        Ok(bytes)
    }

    fn skip(&mut self, length: u64) -> Result<(), Error> {
        let passed = io::copy(&mut (&mut *self.input).take(length), &mut io::sink())?;
        if passed < length {
            let text = format!("it announces {length} bytes, and {passed} are there");
            return damaged(self.at, &text);
        }
        self.at += length;
        Ok(())
    }

    fn number<const N: usize>(&mut self) -> Result<(), Error> {
        self.array::<N>()?;
        self.make(Value::plain(0))
    }

    /// Reads a text that follows its length, which is stated in `N` bytes.
    fn counted<const N: usize>(&mut self) -> Result<(), Error> {
        let length = self.array::<N>()?;
        let length = length.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte));
        self.skip(length)?;
        self.make(Value::plain(length))
    }

    /// Skips a line, and returns its length. If the last line has no end, the error comes from the next read,
    /// because no instruction follows.
    fn line(&mut self) -> Result<u64, Error> {
        let length = self.input.skip_until(b'\n')? as u64;
        self.at += length;
        Ok(length)
    }

    /// Reads a place in the memo, which is stated in digits on a line, in one byte, or in four bytes.
    fn place(&mut self, digits: bool, byte: bool) -> Result<u32, Error> {
        if !digits {
            return Ok(if byte {
                u32::from(self.array::<1>()?[0])
            } else {
                u32::from_le_bytes(self.array()?)
            });
        }
        let mut line = Vec::new();
        (&mut *self.input).take(2 * INDEX).read_until(b'\n', &mut line)?;
        self.at += line.len() as u64;
        let text = std::str::from_utf8(&line).ok().map(|line| line.trim_end_matches(['\r', '\n']));
        match text.and_then(|text| text.parse().ok()) {
            Some(place) => Ok(place),
            None => damaged(self.at, "a place in the memo is no number"),
        }
    }
}
