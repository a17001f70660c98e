"""X-AnyLabeling without a screen: open every picture of a folder and save its labels."""

from __future__ import annotations

import sys
from pathlib import Path

from anylabeling import config as settings
from PyQt6 import QtWidgets


def main(folder: Path, out: Path) -> None:
    settings.set_work_directory(str(out.parent))
    settings.current_config_file = str(out.parent / '.xanylabelingrc')
    app = QtWidgets.QApplication(sys.argv[:1])
    from anylabeling.resources import resources  # noqa: F401
    from anylabeling.views.mainwindow import MainWindow

    chosen = {'auto_save': False, 'store_data': False}
    config = settings.get_config(settings.current_config_file, chosen)
    window = MainWindow(app, config=config)
    view = window.labeling_widget.view
    for picture in sorted(folder.glob('*.png')):
        view.load_file(str(picture))
        print(picture.name, len(view.label_list))
        saved = str(out / f'{picture.stem}.json')
        if not view.save_labels(saved):
            raise SystemExit(f'{saved} was not saved')
    view.set_clean()


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:]))
