//! Bytes as they are on a socket, for what a well-behaved client would never send.

use std::{future::Future, net::SocketAddr, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long anything here waits for a peer before it panics.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The most headers that an answer may have.
const HEADERS: usize = 256;

/// Sends bytes on a connection of their own, and reads one answer.
///
/// # Panics
///
/// If nothing listens, or no whole answer comes within [`PATIENCE`].
pub async fn send(addr: SocketAddr, bytes: impl AsRef<[u8]>) -> Answer {
    Connection::open(addr).await.exchange(bytes).await
}

/// Sends bytes on a connection of their own, and reads all that comes until the peer closes.
///
/// # Panics
///
/// If nothing listens, or the peer has not closed within [`PATIENCE`].
pub async fn send_raw(addr: SocketAddr, bytes: impl AsRef<[u8]>) -> Bytes {
    let mut connection = Connection::open(addr).await;
    connection.write(bytes).await;
    connection.read_to_end().await
}

/// A plain TCP connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// What was read and belongs to the next answer.
    ahead: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Panics
    ///
    /// If nothing listens there.
    pub async fn open(addr: SocketAddr) -> Self {
        match patiently("a connection", TcpStream::connect(addr)).await {
            Ok(stream) => {
                // Each write is a packet, so that a test decides where a message is split.
                let _ = stream.set_nodelay(true);
                Self {
                    stream,
                    ahead: Vec::new(),
                }
            }
            Err(error) => panic!("cannot connect to {addr}: {error}"),
        }
    }

    /// Writes bytes. A peer that has closed is no error: what it said before can still be read.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = patiently("room to write", self.stream.write_all(bytes.as_ref())).await;
    }

    /// Closes the writing side, and leaves the other open.
    pub async fn finish(&mut self) {
        let _ = patiently("the end of writing", self.stream.shutdown()).await;
    }

    /// Writes bytes and reads one answer, which is no answer to HEAD.
    ///
    /// # Panics
    ///
    /// If no whole answer comes.
    pub async fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        let head = bytes.as_ref().starts_with(b"HEAD ");
        self.write(bytes).await;
        if head {
            self.answer_to_head().await
        } else {
            self.answer().await
        }
    }

    /// Reads one answer; one of 1xx is an answer of its own.
    ///
    /// # Panics
    ///
    /// If no whole answer comes.
    pub async fn answer(&mut self) -> Answer {
        self.next(false).await
    }

    /// Reads one answer to a HEAD request, which has no body whatever its headers say.
    ///
    /// # Panics
    ///
    /// If no whole answer comes.
    pub async fn answer_to_head(&mut self) -> Answer {
        self.next(true).await
    }

    /// Reads exactly `length` bytes.
    ///
    /// # Panics
    ///
    /// If the peer closes before.
    pub async fn read(&mut self, length: usize) -> Bytes {
        while self.ahead.len() < length {
            assert!(
                self.fill().await,
                "the peer closed after {:?}",
                lossy(&self.ahead)
            );
        }
        self.ahead.drain(..length).collect::<Vec<_>>().into()
    }

    /// Reads all that comes until the peer closes or resets the connection.
    ///
    /// # Panics
    ///
    /// If it does neither within [`PATIENCE`].
    pub async fn read_to_end(&mut self) -> Bytes {
        while self.fill().await {}
        std::mem::take(&mut self.ahead).into()
    }

    async fn next(&mut self, to_head: bool) -> Answer {
        loop {
            match parse(&self.ahead, to_head, false) {
                Ok(Some((answer, length))) => {
                    self.ahead.drain(..length);
                    return answer;
                }
                Ok(None) => {}
                Err(fault) => panic!("{fault}: {:?}", lossy(&self.ahead)),
            }
            if !self.fill().await {
                return match parse(&self.ahead, to_head, true) {
                    Ok(Some((answer, length))) => {
                        self.ahead.drain(..length);
                        answer
                    }
                    _ => panic!(
                        "the peer closed before a whole answer: {:?}",
                        lossy(&self.ahead)
                    ),
                };
            }
        }
    }

    /// Reads something; `false` if there is no more.
    async fn fill(&mut self) -> bool {
        let read = patiently("an answer", self.stream.read_buf(&mut self.ahead)).await;
        matches!(read, Ok(count) if count > 0)
    }
}

/// An answer as it was on the wire, its framing taken off.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The words after it, which may be empty.
    pub reason: String,
    /// Names as they were spelt, and values, in their order.
    pub headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Bytes,
    /// What came after a chunked body.
    pub trailers: Vec<(String, String)>,
}

impl Answer {
    /// The first value of a header, by its name in any letter case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a header, by its name in any letter case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text; what is no UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        lossy(&self.body)
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("the body is no JSON ({error}): {}", self.text()),
        }
    }
}

async fn patiently<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

type Fields = Vec<(String, String)>;

/// Takes one answer from the front of `bytes`, with its length; `None` if there is not enough yet.
fn parse(bytes: &[u8], to_head: bool, closed: bool) -> Result<Option<(Answer, usize)>, String> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let start = match head.parse(bytes) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("no answer of HTTP/1 ({error})")),
    };
    let mut answer = Answer {
        status: head.code.unwrap_or_default(),
        reason: head.reason.unwrap_or_default().to_owned(),
        headers: fields(head.headers),
        body: Bytes::new(),
        trailers: Vec::new(),
    };

    // RFC 9112, section 6.3.
    if to_head || matches!(answer.status, 100..=199 | 204 | 304) {
        return Ok(Some((answer, start)));
    }
    let rest = &bytes[start..];
    if answer.header("transfer-encoding").is_some() {
        let Some((body, trailers, length)) = unchunk(rest)? else {
            return Ok(None);
        };
        answer.body = body.into();
        answer.trailers = trailers;
        return Ok(Some((answer, start + length)));
    }
    let length = match answer.header("content-length") {
        Some(length) => match length.parse::<usize>() {
            Ok(length) => length,
            Err(_) => return Err(format!("`{length}` is no length")),
        },
        None if closed => rest.len(),
        None => return Ok(None),
    };
    if rest.len() < length {
        return Ok(None);
    }
    answer.body = Bytes::copy_from_slice(&rest[..length]);
    Ok(Some((answer, start + length)))
}

fn fields(headers: &[httparse::Header<'_>]) -> Fields {
    headers
        .iter()
        .map(|header| (header.name.to_owned(), lossy(header.value)))
        .collect()
}

/// Takes a chunked body from the front of `bytes`: the data, the trailers, the length on the wire.
fn unchunk(bytes: &[u8]) -> Result<Option<(Vec<u8>, Fields, usize)>, String> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let (start, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete((start, size))) => (at + start, size),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err("a chunk without a size".to_owned()),
        };
        if size == 0 {
            let mut trailers = [httparse::EMPTY_HEADER; HEADERS];
            return match httparse::parse_headers(&bytes[start..], &mut trailers) {
                Ok(httparse::Status::Complete((length, trailers))) => {
                    Ok(Some((body, fields(trailers), start + length)))
                }
                Ok(httparse::Status::Partial) => Ok(None),
                Err(error) => Err(format!("broken trailers ({error})")),
            };
        }
        let Some(end) = usize::try_from(size)
            .ok()
            .and_then(|size| start.checked_add(size))
        else {
            return Err("a chunk without an end".to_owned());
        };
        match bytes.get(end..end + 2) {
            Some(b"\r\n") => body.extend_from_slice(&bytes[start..end]),
            Some(_) => return Err("a chunk without an end".to_owned()),
            None => return Ok(None),
        }
        at = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Parses whole answers, and checks that every shorter piece is not enough.
    #[track_caller]
    fn check(bytes: &str, to_head: bool, status: u16, body: &str) -> Answer {
        for end in 0..bytes.len() {
            assert!(
                parse(&bytes.as_bytes()[..end], to_head, false)
                    .unwrap()
                    .is_none(),
                "{end}"
            );
        }
        let more = format!("{bytes}HTTP/1.1 500 next");
        let (answer, length) = parse(more.as_bytes(), to_head, false).unwrap().unwrap();
        assert_eq!(length, bytes.len());
        assert_eq!((answer.status, answer.text().as_str()), (status, body));
        answer
    }

    #[test]
    fn a_body_of_known_length_is_taken() {
        let answer = check(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\n\r\nhi",
            false,
            200,
            "hi",
        );
        assert_eq!(answer.reason, "OK");
        assert_eq!(answer.all("X-a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(answer.headers[1].0, "X-A");
    }

    #[test]
    fn chunks_are_put_together() {
        let answer = check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n",
            false,
            200,
            "abc0123456789",
        );
        assert_eq!(answer.trailers, [("X-Sum".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn an_answer_without_a_body_ends_with_its_head() {
        check("HTTP/1.1 204 No Content\r\n\r\n", false, 204, "");
        check("HTTP/1.1 100 Continue\r\n\r\n", false, 100, "");
        check(
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            false,
            304,
            "",
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
            true,
            200,
            "",
        );
    }

    #[test]
    fn a_body_of_unknown_length_ends_with_the_connection() {
        let bytes = b"HTTP/1.1 200 OK\r\n\r\nall of it";
        assert!(parse(bytes, false, false).unwrap().is_none());
        assert_eq!(
            parse(bytes, false, true).unwrap().unwrap().0.text(),
            "all of it"
        );
    }

    #[test]
    fn what_is_no_answer_is_a_fault() {
        for bytes in [
            "SSH-2.0\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nabc\r\n",
        ] {
            assert!(parse(bytes.as_bytes(), false, false).is_err(), "{bytes}");
        }
    }

    #[tokio::test]
    async fn answers_are_read_one_after_the_other() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4];
            stream.read_exact(&mut asked).await.unwrap();
            let two =
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxrest";
            stream.write_all(two).await.unwrap();
        });
        let mut connection = Connection::open(addr).await;
        assert_eq!(connection.exchange("ask\n").await.status, 100);
        assert_eq!(connection.answer().await.text(), "x");
        assert_eq!(connection.read(2).await, "re");
        assert_eq!(connection.read_to_end().await, "st");
    }

    #[tokio::test]
    async fn send_raw_gives_what_came_as_it_came() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1];
            stream.read_exact(&mut asked).await.unwrap();
            stream.write_all(b"\x00\xff").await.unwrap();
        });
        assert_eq!(send_raw(addr, "x").await, b"\x00\xff"[..]);
    }
}
