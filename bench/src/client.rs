//! One client: a kept-alive HTTP/1.1 connection with one request under way.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

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
        let host = HeaderValue::from_str(&address.to_string())?;
        Ok(Self {
            address,
            host,
            connection: open(address).await?,
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
        self.connection = open(self.address).await?;
        Ok(())
    }

    /// Asks with GET.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn get(&mut self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, Bytes::new(), None).await
    }

    /// Sends JSON with POST.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::POST, path, body.to_string().into(), None).await
    }

    /// Sends JSON with PUT.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn put(&mut self, path: &str, body: Bytes) -> Result<Answer> {
        self.send(Method::PUT, path, body, None).await
    }

    /// Sends JSON with POST under an idempotency key.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn post_once(&mut self, path: &str, key: &str, body: Bytes) -> Result<Answer> {
        self.send(Method::POST, path, body, Some(HeaderValue::from_str(key)?))
            .await
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
        idempotency_key: Option<HeaderValue>,
    ) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(key) = idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        self.connection.ready().await?;
        let response = self
            .connection
            .send_request(request.body(Full::new(body))?)
            .await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body })
    }
}

async fn open(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    let (connection, task) = handshake(TokioIo::new(stream)).await?;
    // Ends by itself when either side closes; its error shows at the next request.
    tokio::spawn(task);
    Ok(connection)
}
