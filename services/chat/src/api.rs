//! The routes of chat: the Matrix client-server API under `/_matrix`, and our own under `/api/chat`.

mod account;
mod account_data;
mod aliases;
mod backups;
mod credentials;
mod dehydrated;
mod delayed;
mod devices;
mod direct;
mod directory;
mod discovery;
mod error;
mod exports;
mod filters;
mod findable;
mod friends;
mod imports;
mod json;
mod keys;
mod login;
mod media;
mod membership;
mod messages;
mod presence;
mod previews;
mod profile;
mod push;
mod push_rules;
mod pushers;
mod receipts;
mod registration;
mod relations;
mod reports;
mod rooms;
mod ruma;
mod search;
mod send;
mod services;
mod sliding;
mod spaces;
mod staff;
mod state;
mod sync;
mod tags;
mod timestamp;
mod to_device;
mod uia;
mod voip;

use ::ruma::api::Metadata;
use ::ruma::api::path_builder::PathBuilder;
use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, any, on};
use haechi_service::OpenApiRouter;
use utoipa_axum::routes;

use crate::Chat;

use error::MatrixError;
pub(crate) use error::render_problem;

/// Routes that wait or carry files.
pub(crate) const SLOW_ROUTES: [&str; 17] = [
    "/api/chat/imports",
    "/api/chat/rooms/{room_id}/export",
    "/_matrix/client/v3/sync",
    "/_matrix/client/r0/sync",
    "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync",
    "/_matrix/media/v3/upload",
    "/_matrix/media/r0/upload",
    "/_matrix/client/v1/media/download/{server_name}/{media_id}",
    "/_matrix/client/v1/media/download/{server_name}/{media_id}/{filename}",
    "/_matrix/client/v1/media/thumbnail/{server_name}/{media_id}",
    "/_matrix/media/v3/download/{server_name}/{media_id}",
    "/_matrix/media/v3/download/{server_name}/{media_id}/{filename}",
    "/_matrix/media/v3/thumbnail/{server_name}/{media_id}",
    "/_matrix/media/v3/upload/{server_name}/{media_id}",
    "/_matrix/media/r0/download/{server_name}/{media_id}",
    "/_matrix/media/r0/download/{server_name}/{media_id}/{filename}",
    "/_matrix/media/r0/thumbnail/{server_name}/{media_id}",
];

/// The table of contents.
pub(crate) fn routes(chat: Chat) -> OpenApiRouter {
    let own = OpenApiRouter::new()
        .routes(routes!(friends::list_friends, friends::add_friend))
        .routes(routes!(friends::remove_friend))
        .routes(routes!(direct::open_direct))
        .routes(routes!(reports::list_reports))
        .routes(routes!(reports::resolve_report))
        .routes(routes!(staff::close_room))
        .routes(routes!(staff::remove_event))
        .routes(routes!(exports::export_room))
        .routes(routes!(findable::find_pepper))
        .routes(routes!(findable::match_friends))
        .routes(routes!(findable::find_discovery, findable::set_discovery))
        .routes(routes!(services::list_blocked))
        .routes(routes!(services::block_service, services::unblock_service))
        .routes(routes!(push::push_key))
        .routes(routes!(push::subscribe, push::unsubscribe))
        .merge(imports::routes());
    let matrix = [
        discovery::routes(),
        login::routes(),
        account::routes(),
        credentials::routes(),
        aliases::routes(),
        directory::routes(),
        profile::routes(),
        registration::routes(),
        push_rules::routes(),
        pushers::routes(),
        reports::routes(),
        rooms::routes(),
        membership::routes(),
        send::routes(),
        spaces::routes(),
        state::routes(),
        messages::routes(),
        sync::routes(),
        sliding::routes(),
        filters::routes(),
        receipts::routes(),
        account_data::routes(),
        delayed::routes(),
        presence::routes(),
        relations::routes(),
        search::routes(),
        tags::routes(),
        timestamp::routes(),
        media::routes(),
        keys::routes(),
        backups::routes(),
        to_device::routes(),
        dehydrated::routes(),
        devices::routes(),
        previews::routes(),
        voip::routes(),
    ];
    let matrix = matrix
        .into_iter()
        .fold(Router::new(), Router::merge)
        .route("/_matrix/{*rest}", any(unrecognized))
        .method_not_allowed_fallback(wrong_method);
    own.merge(OpenApiRouter::from(matrix)).with_state(chat)
}

async fn unrecognized() -> MatrixError {
    MatrixError::unrecognized(http::StatusCode::NOT_FOUND)
}

async fn wrong_method() -> MatrixError {
    MatrixError::unrecognized(http::StatusCode::METHOD_NOT_ALLOWED)
}

/// Adds the routes of one endpoint of the specification, under all the paths it ever had.
fn endpoint<T, H, M>(mut router: Router<Chat>, handler: H) -> Router<Chat>
where
    T: Metadata,
    H: Handler<M, Chat> + Clone,
    M: 'static,
{
    let Ok(method) = MethodFilter::try_from(T::METHOD) else {
        return router;
    };
    let routes = on(method, handler);
    for path in T::PATH_BUILDER.all_paths() {
        router = router.route(path, routes.clone());
    }
    router
}
