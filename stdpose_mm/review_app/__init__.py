"""The review page: a server on this machine, and the page that a browser shows of it.

The server speaks to :class:`~stdpose_mm.apis.VideoPosePropagator` as the command line does. What is
done by hand goes to a journal (:mod:`~.journal`) before it is shown; poses that follow from it are
computed behind the page (:mod:`~.background`). :mod:`~.server` lists the routes.
"""
