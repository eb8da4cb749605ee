//! What a web page says of itself: OpenGraph, its title, its description. The page is a stranger's; it is read token
//! by token, so that no page, however it is nested, takes more memory than its own length.

use std::cell::RefCell;

use encoding_rs::{EUC_KR, Encoding, UTF_8};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use super::limits::{PREVIEW_DESCRIPTION_MAX, PREVIEW_TITLE_MAX, PREVIEW_URL_BYTES_MAX};

/// How far into a page its encoding is looked for (HTML, "determining the character encoding": 1,024; many write it
/// later).
const ENCODING_LOOKED_FOR_BYTES: usize = 4_096;

/// Characters that are read at once.
const PIECE: usize = 4_096;

/// Pieces without a single token after which the rest is given up: a tag of so many attributes takes the square of
/// their number to read.
const SILENT_PIECES_MAX: usize = 16;

/// What a page says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PageFacts {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) site_name: Option<String>,
    pub(crate) kind: Option<String>,
    /// The address of its picture, as it stands in the page.
    pub(crate) image: Option<String>,
}

/// Reads a page. `content_type` is the header's, which may name the encoding.
pub(crate) fn read_page(bytes: &[u8], content_type: &str) -> PageFacts {
    let text = decode(bytes, content_type);
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    let queue = BufferQueue::default();
    let (mut rest, mut silent, mut heard) = (text.as_str(), 0, 0);
    while !rest.is_empty() && silent < SILENT_PIECES_MAX {
        let mut end = PIECE.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        queue.push_back(StrTendril::from(piece));
        let _ = tokenizer.feed(&queue);
        let count = tokenizer.sink.tokens();
        silent = if count == heard { silent + 1 } else { 0 };
        heard = count;
    }
    tokenizer.sink.facts()
}

/// The page's text: by its byte order mark, the header, what it says itself, or what it can only be.
fn decode(bytes: &[u8], content_type: &str) -> String {
    let named = label_in(content_type.as_bytes()).or_else(|| {
        let start = bytes.get(..ENCODING_LOOKED_FOR_BYTES).unwrap_or(bytes);
        label_in(start)
    });
    let encoding = named.unwrap_or_else(|| guess(bytes));
    let (text, ..) = encoding.decode(bytes);
    text.into_owned()
}

/// Pages that do not say it are UTF-8 where they can be, and else, in this country, EUC-KR.
fn guess(bytes: &[u8]) -> &'static Encoding {
    // The end may be cut within a character.
    let is_utf_8 = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    if is_utf_8 { UTF_8 } else { EUC_KR }
}

/// The encoding that follows `charset=`.
fn label_in(bytes: &[u8]) -> Option<&'static Encoding> {
    let name = b"charset";
    let at = bytes
        .windows(name.len())
        .position(|window| window.eq_ignore_ascii_case(name))?;
    let rest = bytes.get(at + name.len()..)?.trim_ascii_start();
    let rest = rest.strip_prefix(b"=")?.trim_ascii_start();
    let rest = rest
        .strip_prefix(b"\"")
        .or_else(|| rest.strip_prefix(b"'"))
        .unwrap_or(rest);
    let is_label = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    let length = rest.iter().take_while(|byte| is_label(byte)).count();
    Encoding::for_label(rest.get(..length)?)
}

/// Hears the tokens of a page and keeps what is asked for.
#[derive(Default)]
struct Sink(RefCell<Heard>);

#[derive(Default)]
struct Heard {
    facts: PageFacts,
    /// The `<title>`, and `<meta name=description>`: used where OpenGraph says nothing.
    plain_title: Option<String>,
    plain_description: Option<String>,
    in_title: bool,
    tokens: usize,
}

impl Sink {
    fn tokens(&self) -> usize {
        self.0.borrow().tokens
    }

    fn facts(&self) -> PageFacts {
        let heard = self.0.borrow();
        let mut facts = heard.facts.clone();
        let plain_title = heard.plain_title.as_deref();
        facts.title = facts
            .title
            .or_else(|| plain_title.and_then(|title| shown(title, PREVIEW_TITLE_MAX)));
        facts.description = facts.description.or_else(|| heard.plain_description.clone());
        facts
    }
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut heard = self.0.borrow_mut();
        heard.tokens += 1;
        match token {
            Token::TagToken(tag) => return heard.tag(&tag),
            Token::CharacterTokens(text) if heard.in_title => {
                let title = heard.plain_title.get_or_insert_default();
                if title.len() < PREVIEW_TITLE_MAX * 8 {
                    title.push_str(&text);
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Heard {
    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        if tag.kind == TagKind::EndTag {
            self.in_title &= name != "title";
            return TokenSinkResult::Continue;
        }
        match name {
            "meta" => self.meta(tag),
            "title" => {
                // The first one is the page's; others belong to drawings within it.
                self.in_title = self.plain_title.is_none();
                return TokenSinkResult::RawData(RawKind::Rcdata);
            }
            "textarea" => return TokenSinkResult::RawData(RawKind::Rcdata),
            "style" | "xmp" | "iframe" | "noembed" | "noframes" => {
                return TokenSinkResult::RawData(RawKind::Rawtext);
            }
            "script" => return TokenSinkResult::RawData(RawKind::ScriptData),
            _ => {}
        }
        TokenSinkResult::Continue
    }

    fn meta(&mut self, tag: &Tag) {
        let attribute = |name: &str| {
            let mut attributes = tag.attrs.iter();
            attributes
                .find(|attribute| &*attribute.name.local == name)
                .map(|attribute| &*attribute.value)
        };
        let (Some(name), Some(content)) = (
            attribute("property").or_else(|| attribute("name")),
            attribute("content"),
        ) else {
            return;
        };
        let name = name.trim().to_ascii_lowercase();
        let (place, most) = match name.as_str() {
            "og:title" => (&mut self.facts.title, PREVIEW_TITLE_MAX),
            "og:description" => (&mut self.facts.description, PREVIEW_DESCRIPTION_MAX),
            "og:site_name" => (&mut self.facts.site_name, PREVIEW_TITLE_MAX),
            "og:type" => (&mut self.facts.kind, 50),
            "og:image" | "og:image:url" | "og:image:secure_url" => {
                (&mut self.facts.image, PREVIEW_URL_BYTES_MAX)
            }
            "description" => (&mut self.plain_description, PREVIEW_DESCRIPTION_MAX),
            _ => return,
        };
        if place.is_none() {
            *place = shown(content, most);
        }
    }
}

/// A text as it is shown: on one line, and not too long; `None` when nothing is left.
fn shown(text: &str, most: usize) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let letters = words.join(" ");
    let letters = letters.chars().filter(|letter| !letter.is_control());
    let text: String = letters.take(most).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn open_graph_comes_before_the_plain_title() {
        let page = "<!doctype html><html><head><title>Plain</title>
            <meta name=description content='plain words'>
            <meta property='og:title' content='  A  &quot;title&quot; &amp; more '>
            <meta property=og:description content=words>
            <meta property=og:image content=/cover.jpg>
            <meta property=og:image content=/second.jpg>
            <meta property=og:site_name content=Site><meta property=og:type content=article></head>";
        let facts = read_page(page.as_bytes(), "text/html; charset=utf-8");
        assert_eq!(facts.title.as_deref(), Some("A \"title\" & more"));
        assert_eq!(facts.description.as_deref(), Some("words"));
        assert_eq!(facts.image.as_deref(), Some("/cover.jpg"));
        assert_eq!(
            (facts.site_name.as_deref(), facts.kind.as_deref()),
            (Some("Site"), Some("article"))
        );
    }

    #[test]
    fn a_page_without_open_graph_has_its_title_and_description() {
        let page = "<title>\n 첫 &lt;쪽&gt;\n</title><META NAME=Description CONTENT='설명'>
            <svg><title>drawing</title></svg><script>\"<meta property='og:title' content='false'>\"</script>
            <style>/*<title>no</title>*/</style><!-- <title>no</title> -->";
        let facts = read_page(page.as_bytes(), "text/html");
        assert_eq!(facts.title.as_deref(), Some("첫 <쪽>"));
        assert_eq!(facts.description.as_deref(), Some("설명"));
        assert_eq!(facts.image, None);
    }

    #[test]
    fn korean_pages_of_the_old_encoding_read_rightly() {
        let (said_inside, said_outside) = (
            "<meta http-equiv=content-type content='text/html; charset=EUC-KR'><title>한글 제목</title>",
            "<title>한글 제목</title>",
        );
        for (page, content_type) in [
            (said_inside, "text/html"),
            (said_outside, "text/html; charset=\"euc-kr\""),
            (said_outside, "text/html; charset=ks_c_5601-1987"),
            (said_outside, "text/html"),
        ] {
            let (bytes, ..) = EUC_KR.encode(page);
            let facts = read_page(&bytes, content_type);
            assert_eq!(facts.title.as_deref(), Some("한글 제목"), "{content_type}");
        }
        let marked = [b"\xef\xbb\xbf".as_slice(), "<title>표시</title>".as_bytes()].concat();
        assert_eq!(
            read_page(&marked, "text/html; charset=euc-kr").title.as_deref(),
            Some("표시")
        );
    }

    #[test]
    fn texts_have_bounds_and_a_cut_page_is_read_as_far_as_it_goes() {
        let page = format!("<title>{}</title>", "가".repeat(100_000));
        let facts = read_page(page.as_bytes(), "text/html");
        assert_eq!(facts.title.unwrap().chars().count(), PREVIEW_TITLE_MAX);
        let cut = "<title>짧은 제목</title><p>한".as_bytes();
        let facts = read_page(&cut[..cut.len() - 1], "text/html");
        assert_eq!(facts.title.as_deref(), Some("짧은 제목"));
    }

    #[test]
    fn a_tag_of_endless_attributes_is_given_up() {
        let mut page = "<title>first</title><meta ".to_owned();
        for number in 0..200_000 {
            page.push_str(&format!("a{number} "));
        }
        page.push_str("><meta property=og:title content=late>");
        assert_eq!(
            read_page(page.as_bytes(), "text/html").title.as_deref(),
            Some("first")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), content_type in "\\PC{0,40}") {
            read_page(&bytes, &content_type);
        }

        #[test]
        fn any_markup_can_be_read(page in "(<(title|meta|script|/title|/script|!--|style) ?|content=|property=|og:title|['\">가a &;-]){0,60}") {
            let facts = read_page(page.as_bytes(), "text/html");
            prop_assert!(facts.title.is_none_or(|title| title.chars().count() <= PREVIEW_TITLE_MAX));
        }
    }
}
