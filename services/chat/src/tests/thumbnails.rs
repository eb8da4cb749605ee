//! Thumbnails: in the sizes of the specification, upright, without what the file told, and never of a bomb.

use std::io::Cursor;

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use super::{assert_matrix_error, start};

const UPLOAD: &str = "/_matrix/media/v3/upload";

fn written(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

/// Left half red, right half blue.
fn halves(width: u32, height: u32) -> DynamicImage {
    let pixel = |x, _| {
        if x < width / 2 {
            Rgb([200, 0, 0])
        } else {
            Rgb([0, 0, 200])
        }
    };
    RgbImage::from_fn(width, height, pixel).into()
}

async fn upload(app: &TestApp, who: &SignedUp, claimed: &str, bytes: Vec<u8>) -> String {
    let sent = app.post(UPLOAD).bearer(&who.access_token).bytes(claimed, bytes);
    let sent = sent.send().await.expect(200).json();
    let uri = sent["content_uri"].as_str().unwrap();
    uri.strip_prefix("mxc://").unwrap().to_owned()
}

async fn thumbnail(app: &TestApp, who: &SignedUp, media: &str, wish: &str) -> TestResponse {
    app.get(&format!("/_matrix/client/v1/media/thumbnail/{media}?{wish}"))
        .bearer(&who.access_token)
        .send()
        .await
}

fn size_of(response: &TestResponse) -> (u32, u32) {
    let image = image::load_from_memory(&response.body).unwrap();
    (image.width(), image.height())
}

async fn pictures_of_every_kind_become_thumbnails(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let photo = halves(1_000, 500);
    for format in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::Gif,
        ImageFormat::WebP,
    ] {
        // What it is told by its bytes, not by what is claimed.
        let media = upload(&app, &minji, "text/plain", written(&photo, format)).await;
        let scaled = thumbnail(&app, &minji, &media, "width=640&height=480")
            .await
            .expect(200);
        assert_eq!(size_of(&scaled), (640, 320), "{format:?}");
        let cut = thumbnail(
            &app,
            &minji,
            &media,
            "width=96&height=96&method=crop&animated=true",
        )
        .await;
        let cut = cut.expect(200);
        assert_eq!(size_of(&cut), (96, 96), "{format:?}");
        let kind = cut.headers["content-type"].to_str().unwrap();
        assert!(matches!(kind, "image/jpeg" | "image/png"), "{kind}");
        assert!(
            cut.headers["content-disposition"]
                .to_str()
                .unwrap()
                .starts_with("inline")
        );
        let again = thumbnail(&app, &minji, &media, "width=90&height=96&method=crop")
            .await
            .expect(200);
        assert_eq!(
            (again.headers["etag"].clone(), again.body),
            (cut.headers["etag"].clone(), cut.body)
        );
    }
    let clear: DynamicImage = RgbaImage::from_pixel(400, 400, Rgba([1, 2, 3, 0])).into();
    let media = upload(&app, &minji, "image/png", written(&clear, ImageFormat::Png)).await;
    let small = thumbnail(&app, &minji, &media, "width=32&height=32&method=crop")
        .await
        .expect(200);
    assert_eq!(small.headers["content-type"], "image/png");
    assert_eq!(
        image::load_from_memory(&small.body)
            .unwrap()
            .to_rgba8()
            .get_pixel(5, 5)
            .0[3],
        0
    );
    let tiny = upload(
        &app,
        &minji,
        "image/png",
        written(&halves(20, 10), ImageFormat::Png),
    )
    .await;
    let tiny = thumbnail(&app, &minji, &tiny, "width=800&height=600")
        .await
        .expect(200);
    assert_eq!(size_of(&tiny), (20, 10), "nothing is made larger");
}

/// A JPEG that says it was taken with the camera turned, and where.
fn turned(image: &DynamicImage, secret: &str) -> Vec<u8> {
    let plain = written(image, ImageFormat::Jpeg);
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    exif.extend_from_slice(secret.as_bytes());
    let length = u16::try_from(exif.len() + 2).unwrap();
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xe1];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&exif);
    bytes.extend_from_slice(&plain[2..]);
    bytes
}

async fn a_thumbnail_is_upright_and_tells_nothing_of_the_place(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let secret = "37.5665N 126.9780E";
    let photo = turned(&halves(800, 400), secret);
    assert!(photo.windows(secret.len()).any(|part| part == secret.as_bytes()));
    let media = upload(&app, &minji, "image/jpeg", photo).await;
    let made = thumbnail(&app, &minji, &media, "width=320&height=240")
        .await
        .expect(200);
    assert_eq!(size_of(&made), (120, 240), "orientation 6 stands upright");
    let image = image::load_from_memory(&made.body).unwrap().to_rgb8();
    let (top, bottom) = (image.get_pixel(60, 20).0, image.get_pixel(60, 220).0);
    assert!(top[0] > 150 && bottom[2] > 150, "{top:?} {bottom:?}");
    for told in [secret.as_bytes(), b"Exif"] {
        assert!(!made.body.windows(told.len()).any(|part| part == told));
    }
    let face = thumbnail(&app, &minji, &media, "width=96&height=96&method=crop")
        .await
        .expect(200);
    assert_eq!(size_of(&face), (96, 96));
}

/// The beginning of a PNG of any size, rightly summed.
fn png_head(width: u32, height: u32) -> Vec<u8> {
    let mut head = b"IHDR".to_vec();
    head.extend_from_slice(&width.to_be_bytes());
    head.extend_from_slice(&height.to_be_bytes());
    head.extend_from_slice(&[8, 6, 0, 0, 0]);
    let sum = head.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(&(!sum).to_be_bytes());
    bytes
}

async fn bombs_are_refused_and_harm_nobody(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let photo = written(&halves(300, 300), ImageFormat::Png);
    let empty_data = b"\0\0\0\0IDAT\x35\xaf\x06\x1e".to_vec();
    let cases: [(&str, Vec<u8>, u16, &str); 9] = [
        ("huge PNG", png_head(60_000, 60_000), 413, "M_TOO_LARGE"),
        ("long PNG", png_head(1, 4_000_000_000), 413, "M_TOO_LARGE"),
        (
            "many pixels",
            [png_head(16_000, 16_000), empty_data].concat(),
            413,
            "M_TOO_LARGE",
        ),
        (
            "huge GIF",
            b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08\0;".to_vec(),
            413,
            "M_TOO_LARGE",
        ),
        (
            "SVG",
            b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>".to_vec(),
            400,
            "M_UNKNOWN",
        ),
        (
            "polyglot",
            b"\x89PNG\r\n\x1a\n<script>alert(1)</script>".to_vec(),
            400,
            "M_UNKNOWN",
        ),
        ("cut off", photo[..photo.len() / 2].to_vec(), 400, "M_UNKNOWN"),
        ("no pixels", png_head(20, 20), 400, "M_UNKNOWN"),
        ("nothing", Vec::new(), 400, "M_UNKNOWN"),
    ];
    for (what, bytes, status, code) in cases {
        let media = upload(&app, &minji, "image/png", bytes).await;
        let refused = thumbnail(&app, &minji, &media, "width=96&height=96").await;
        assert_eq!(refused.status.as_u16(), status, "{what}: {}", refused.text());
        assert_matrix_error(&refused, status, code);
    }
    let media = upload(&app, &minji, "image/png", photo).await;
    for wish in [
        "width=0&height=9",
        "width=-1&height=9",
        "width=1.5&height=9",
        "width=9",
        "width=9&height=9&method=x",
    ] {
        let refused = thumbnail(&app, &minji, &media, wish).await;
        assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
    }
    thumbnail(&app, &minji, &media, "width=96&height=96")
        .await
        .expect(200);
    let path = format!("/_matrix/client/v1/media/thumbnail/{media}?width=96&height=96");
    assert_matrix_error(&app.get(&path).send().await, 401, "M_MISSING_TOKEN");
}

haechi_testkit::on_both_engines!(
    pictures_of_every_kind_become_thumbnails,
    a_thumbnail_is_upright_and_tells_nothing_of_the_place,
    bombs_are_refused_and_harm_nobody,
);
