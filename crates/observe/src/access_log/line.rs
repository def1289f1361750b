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

    /// Adds a few bytes, if they fit: a block is copied without a call.
    #[inline]
    pub(crate) fn push_block(&mut self, block: &Block) {
        if self.room() < Block::ROOM {
            return self.push(&block.bytes[..block.length]);
        }
        let end = self.buffer.len() + block.length;
        self.buffer.extend_from_slice(&block.bytes);
        self.buffer.truncate(end);
    }

    /// Adds a number in decimal.
    pub(crate) fn number(&mut self, number: i64) {
        if let Ok(number) = u16::try_from(number)
            && number < 1_000
        {
            return self.push_block(&Block::number(number));
        }
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

/// Up to sixteen bytes, with others behind them that do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) bytes: [u8; Self::ROOM],
    length: usize,
}

impl Block {
    pub(crate) const ROOM: usize = 16;

    /// What stands behind the bytes that count.
    const REST: [[u64; 2]; Self::ROOM + 1] = {
        let mut rest = [[0; 2]; Self::ROOM + 1];
        let mut length = 0;
        while length <= Self::ROOM {
            let mut at = length;
            while at < Self::ROOM {
                rest[length][at / 8] |= (Self::FILLER as u64) << (8 * (at % 8));
                at += 1;
            }
            length += 1;
        }
        rest
    };

    const FILLER: u8 = b'-';

    /// These bytes; `None` if they are too many, or none.
    #[inline]
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let length = bytes.len();
        // Pieces that overlap where they must: no loop, and no call.
        let (low, high) = if let (Some(first), Some(last)) =
            (bytes.first_chunk::<8>(), bytes.last_chunk::<8>())
        {
            if length > Self::ROOM {
                return None;
            }
            // In two steps: of a word that is full nothing is left.
            let last = u64::from_le_bytes(*last) >> (4 * (Self::ROOM - length));
            let high = last >> (4 * (Self::ROOM - length));
            (u64::from_le_bytes(*first), high)
        } else if let (Some(first), Some(last)) =
            (bytes.first_chunk::<4>(), bytes.last_chunk::<4>())
        {
            let last = u64::from(u32::from_le_bytes(*last)) << (8 * (length - 4));
            (u64::from(u32::from_le_bytes(*first)) | last, 0)
        } else {
            let (first, last) = (*bytes.first()?, *bytes.last()?);
            let middle = u32::from(bytes[length / 2]) << (8 * (length / 2));
            let last = u32::from(last) << (8 * (length - 1));
            ((u32::from(first) | middle | last).into(), 0)
        };
        let [rest_low, rest_high] = Self::REST[length];
        let mut own = [0; Self::ROOM];
        own[..8].copy_from_slice(&(low | rest_low).to_le_bytes());
        own[8..].copy_from_slice(&(high | rest_high).to_le_bytes());
        Some(Self { bytes: own, length })
    }

    /// A number of at most three digits.
    fn number(number: u16) -> Self {
        let digit = |number: u16| b'0' + (number % 10) as u8;
        let mut bytes = [Self::FILLER; Self::ROOM];
        let length = if number >= 100 {
            [bytes[0], bytes[1], bytes[2]] =
                [digit(number / 100), digit(number / 10), digit(number)];
            3
        } else if number >= 10 {
            [bytes[0], bytes[1]] = [digit(number / 10), digit(number)];
            2
        } else {
            bytes[0] = digit(number);
            1
        };
        Self { bytes, length }
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, Line};

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [
            0,
            7,
            10,
            42,
            100,
            200,
            999,
            1_000,
            -1,
            1_700_000_000_123,
            i64::MAX,
            i64::MIN,
        ] {
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

    #[test]
    fn a_block_has_the_bytes_that_it_is_made_of() {
        let text = b"0123456789abcdefg";
        for length in 1..=16 {
            let block = Block::of(&text[..length]).expect("there is room");
            assert_eq!(&block.bytes[..length], &text[..length]);
            assert!(block.bytes[length..].iter().all(|byte| *byte == b'-'));
            // Where there is room for a block, and where there is just room for its bytes.
            for room in [64, length] {
                let mut buffer = Vec::with_capacity(room);
                let mut line = Line::new(&mut buffer);
                line.push_block(&block);
                assert!(!line.has_overflowed());
                assert_eq!(buffer, &text[..length]);
            }
        }
        assert_eq!(Block::of(text), None);
        assert_eq!(Block::of(b""), None);
    }
}
