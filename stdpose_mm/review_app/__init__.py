"""The review page: a server on this machine, and its page in a browser.

The server speaks to :class:`~stdpose_mm.apis.VideoPosePropagator` as the command line does. Edits
are written to a journal (:mod:`~.journal`) before they are shown; poses that depend on an edit are
computed in the background (:mod:`~.background`). :mod:`~.server` lists the routes.
"""
