"""The review page: a server on this machine, and its page in a browser.

An edit, such as a dragged joint, first goes through the page (``static``):

1. ``picture_view.js`` receives the pointer, ``skeleton_layer.js`` finds the joint and moves it;
2. ``edits.js`` shows the edit at once (``poses.js``), queues it and sends it (``api.js``);

and then through the server, which uses :class:`~stdpose_mm.apis.VideoPosePropagator` as the command
line does:

3. :mod:`~.server` accepts requests of the user's browser only (:mod:`~.access`);
4. :mod:`~.video_review` checks the edit, writes it to the :mod:`~.journal` and applies it to the
   labels (:mod:`~.edits`);
5. :mod:`~.shown_poses` shows the new label and marks the poses that depend on it, which
   :mod:`~.background` computes.

:mod:`~.messages` has the types of everything that the page and the server exchange.
"""
