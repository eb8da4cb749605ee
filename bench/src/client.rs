//! One client: a kept-alive HTTP/1.1 connection with one request under way.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A connection to a server, with the token of whoever uses it.
pub struct Client {
    address: SocketAddr,
    host: HeaderValue,
    connection: SendRequest<Full<Bytes>>,
    authorization: Option<HeaderValue>,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body's bytes.
    pub body: Bytes,
    /// After how long the server asks to be asked again (RFC 9110, "Retry-After", in seconds).
    pub retry_after: Option<Duration>,
}

/// A request that can be sent several times, to one server after the other.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// The body; empty for none.
    pub body: Bytes,
    /// What the body is.
    pub content_type: HeaderValue,
    /// The idempotency key, the same each time.
    pub idempotency_key: Option<HeaderValue>,
}

impl Call {
    /// Asks with GET.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::with_body(Method::GET, path, Bytes::new())
    }

    /// Sends JSON.
    #[must_use]
    pub fn with_body(method: Method, path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            method,
            path: path.into(),
            body: body.into(),
            content_type: HeaderValue::from_static("application/json"),
            idempotency_key: None,
        }
    }

    /// The same under an idempotency key.
    ///
    /// # Errors
    /// The key is no header value.
    pub fn keyed(mut self, key: &str) -> Result<Self> {
        self.idempotency_key = Some(HeaderValue::from_str(key)?);
        Ok(self)
    }
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// The body is no JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("{}: the answer is no JSON", self.status))
    }

    /// The body as JSON, if the status is a success.
    ///
    /// # Errors
    /// Another status, with what the server said.
    pub fn success(self) -> Result<Value> {
        if !self.status.is_success() {
            bail!("{}: {}", self.status, String::from_utf8_lossy(&self.body));
        }
        if self.body.is_empty() {
            Ok(Value::Null)
        } else {
            self.json()
        }
    }
}

impl Client {
    /// Connects without a token.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        Self::over(stream, address).await
    }

    /// Connects from an address of this machine: each has ports of its own.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect_from(source: IpAddr, address: SocketAddr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(source, 0))?;
        let stream = socket
            .connect(address)
            .await
            .with_context(|| format!("cannot connect from {source} to {address}"))?;
        Self::over(stream, address).await
    }

    async fn over(stream: TcpStream, address: SocketAddr) -> Result<Self> {
        let host = HeaderValue::from_str(&address.to_string())?;
        Ok(Self {
            address,
            host,
            connection: open(stream).await?,
            authorization: None,
        })
    }

    /// Sends this token from now on.
    ///
    /// # Errors
    /// The token is no header value.
    pub fn set_token(&mut self, token: &str) -> Result<()> {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        Ok(())
    }

    /// Connects anew, after the server went away.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn reconnect(&mut self) -> Result<()> {
        let stream = TcpStream::connect(self.address)
            .await
            .with_context(|| format!("cannot connect to {}", self.address))?;
        self.connection = open(stream).await?;
        Ok(())
    }

    /// Whether the server has closed the connection.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Asks with GET.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn get(&mut self, path: &str) -> Result<Answer> {
        self.call(&Call::get(path)).await
    }

    /// Sends JSON with POST.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Answer> {
        self.call(&Call::with_body(Method::POST, path, body.to_string()))
            .await
    }

    /// Sends JSON with PUT.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn put(&mut self, path: &str, body: Bytes) -> Result<Answer> {
        self.call(&Call::with_body(Method::PUT, path, body)).await
    }

    /// Sends JSON with POST under an idempotency key.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn post_once(&mut self, path: &str, key: &str, body: Bytes) -> Result<Answer> {
        self.call(&Call::with_body(Method::POST, path, body).keyed(key)?)
            .await
    }

    /// Sends any request.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn call(&mut self, call: &Call) -> Result<Answer> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(call.path.as_str())
            .header(HOST, &self.host);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, &call.content_type);
        }
        if self.connection.ready().await.is_err() {
            // The server ended the connection after its last answer, as one does that is about to end. Nothing of this
            // request was sent yet.
            self.reconnect().await?;
            self.connection.ready().await?;
        }
        let response = self
            .connection
            .send_request(request.body(Full::new(call.body.clone()))?)
            .await?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer {
            status,
            body,
            retry_after,
        })
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn open(stream: TcpStream) -> Result<SendRequest<Full<Bytes>>> {
    stream.set_nodelay(true)?;
    let (connection, task) = handshake(TokioIo::new(stream)).await?;
    // Ends by itself when either side closes; its error shows at the next request.
    tokio::spawn(task);
    Ok(connection)
}
