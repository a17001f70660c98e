"""Where people are: person detectors, box sources and box files."""

from .person_detector import PersonDetector, build_person_detector

__all__ = ['PersonDetector', 'build_person_detector']
