"""The review page: a server on this machine, and its page in a browser.

The way of an edit, such as a joint that is dragged, in the page (``static``):

1. ``picture_view.js`` takes the pointer, ``skeleton_layer.js`` finds the joint and moves it;
2. ``edits.js`` shows the edit at once (``poses.js``), queues it and sends it (``api.js``);

and in the server, which speaks to :class:`~stdpose_mm.apis.VideoPosePropagator` as the command line
does:

3. :mod:`~.server` lets the user's browser alone through (:mod:`~.access`);
4. :mod:`~.video_review` checks the edit and does it to the labels (:mod:`~.edits`), once it is in
   the :mod:`~.journal`;
5. :mod:`~.shown_poses` shows the new label and marks poses that depend on it, which
   :mod:`~.background` computes.

:mod:`~.messages` has the types of all that goes between page and server.
"""
