"""How Reflex compiles and serves the page; read by `reflex export` and by the running server alike."""

import reflex as rx

config = rx.Config(
    app_name="bitmail",
    plugins=[],
    disable_plugins=[rx.plugins.SitemapPlugin],
    telemetry_enabled=False,
    show_built_with_reflex=False,
    # Compiled into the page; the server puts its own address there whenever a browser asks.
    api_url="http://localhost:3000",
    deploy_url="http://localhost:3000",
    # Which origins may connect is the shield's to say; no page of another site is to read an answer.
    cors_allowed_origins=[],
    # The truth lives in the store, so a page's state need not outlive the process.
    state_manager_mode=rx.constants.StateManagerMode.MEMORY,
)
