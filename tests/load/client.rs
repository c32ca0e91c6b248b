//! The client: HTTP/1.1 over connections that are kept, and as cheap as it can be, since it shares the cores with whom it drives.
//!
//! Requests are rendered before they are sent; of answers only what is counted is read. It knows what hyper answers, and no more.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a request was answered with.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whether it says when to come again.
    pub(crate) retry_after: bool,
    pub(crate) body: Vec<u8>,
}

/// A connection to a server on this machine. Opened again where the other side has closed it.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    read: Vec<u8>,
}

impl Connection {
    /// One that is opened when it is used.
    pub(crate) fn to(port: u16) -> Self {
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), stream: None, read: Vec::with_capacity(2048) }
    }

    /// Opens it, so that the first request need not wait for that.
    pub(crate) async fn open(&mut self) -> io::Result<()> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        self.stream = Some(stream);
        Ok(())
    }

    /// Sends a request and reads its answer. After an error nobody knows whether it was taken.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        if self.stream.as_ref().is_none_or(is_closed) {
            self.open().await?;
        }
        let Some(mut stream) = self.stream.take() else { return Err(io::ErrorKind::NotConnected.into()) };
        stream.write_all(request).await?;
        self.read.clear();
        let head = loop {
            more(&mut stream, &mut self.read).await?;
            if let Some(head) = Head::read(&self.read)? {
                break head;
            }
        };
        while self.read.len() < head.size + head.body {
            more(&mut stream, &mut self.read).await?;
        }
        if !head.closes {
            self.stream = Some(stream);
        }
        Ok(Answer { status: head.status, retry_after: head.retry_after, body: self.read[head.size..].to_vec() })
    }
}

/// Whether the other side has closed a connection on which nothing is awaited.
fn is_closed(stream: &TcpStream) -> bool {
    !matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(read).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// The head of an answer.
struct Head {
    status: u16,
    /// Bytes of the head, and of the body behind it.
    size: usize,
    body: usize,
    retry_after: bool,
    closes: bool,
}

impl Head {
    /// `None`: it is not all there yet.
    fn read(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let unreadable = || io::Error::from(io::ErrorKind::InvalidData);
        let text = std::str::from_utf8(&bytes[..end]).map_err(|_| unreadable())?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(unreadable)?;
        let mut head = Self { status, size: end + 4, body: 0, retry_after: false, closes: false };
        let mut length = None;
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match name {
                "content-length" => length = value.parse().ok(),
                "retry-after" => head.retry_after = value.parse::<u32>().is_ok(),
                "connection" => head.closes = value == "close",
                _ => {}
            }
        }
        // Without a length it would end with the connection, or come in chunks: no answer here does.
        head.body = length.ok_or_else(unreadable)?;
        Ok(Some(head))
    }
}

/// The answer to a GET.
pub(crate) async fn get(port: u16, path: &str) -> io::Result<Answer> {
    Connection::to(port).exchange(format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n").as_bytes()).await
}
