//! A line that is being written, in place, into a buffer that does not grow.

/// The longest value of one variable, in bytes; what is longer is cut.
pub(crate) const MAX_VALUE: usize = 8 * 1024;

/// A line at the end of a buffer.
pub(crate) struct Line<'a> {
    buffer: &'a mut Vec<u8>,
    overflowed: bool,
}

impl<'a> Line<'a> {
    pub(crate) const fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self {
            buffer,
            overflowed: false,
        }
    }

    /// Adds bytes, if they fit.
    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if bytes.len() > self.room() {
            self.overflow();
            return;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Adds a number in decimal.
    pub(crate) fn number(&mut self, number: i64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = number.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            self.push(b"-");
        }
        self.push(&digits[at..]);
    }

    /// How many bytes fit.
    pub(crate) fn room(&self) -> usize {
        self.buffer.capacity() - self.buffer.len()
    }

    /// Says that something did not fit.
    pub(crate) const fn overflow(&mut self) {
        self.overflowed = true;
    }

    /// Whether something did not fit. Such a line is not to be used.
    pub(crate) const fn has_overflowed(&self) -> bool {
        self.overflowed
    }
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 7, 200, -1, 1_700_000_000_123, i64::MAX, i64::MIN] {
            let mut buffer = Vec::with_capacity(32);
            Line::new(&mut buffer).number(number);
            assert_eq!(String::from_utf8(buffer).unwrap(), number.to_string());
        }
    }

    #[test]
    fn a_line_that_does_not_fit_is_known_and_makes_the_buffer_no_larger() {
        let mut buffer = Vec::with_capacity(8);
        let capacity = buffer.capacity();
        let mut line = Line::new(&mut buffer);
        line.push(&vec![b'a'; capacity]);
        assert!(!line.has_overflowed());
        line.push(b"b");
        assert!(line.has_overflowed());
        assert_eq!(buffer.capacity(), capacity);
    }
}
