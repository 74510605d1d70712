// What POST /v3/face-search/ answers, for programs in TypeScript.

export type Status = "Approved" | "In Review" | "Declined";

export interface FaceSearchResponse {
  request_id: string;
  face_search: {
    status: Status;
    /** How many sessions match, listed or not. */
    total_matches: number;
    /** The most similar first. */
    matches: Match[];
    user_image: {
      /** The largest face, which is the one that is searched, first. */
      entities: Entity[];
      /** By how many degrees the picture was turned clockwise. */
      best_angle: 0 | 90 | 180 | 270;
    };
    warnings: Warning[];
    /** All matches by person, only when group_by_person asked for it. */
    people?: { vendor_data: string | null; session_ids: string[]; best_similarity_percentage: number }[];
  };
}

export interface Match {
  session_id: string;
  session_number: number;
  /** From 0 to 100, with one decimal. */
  similarity_percentage: number;
  vendor_data: string | null;
  /** RFC 3339, in UTC. */
  verification_date: string;
  user_details: { name: string; document_type: string; document_number: string };
  /** Works for 60 minutes, without a key. Null where no picture is kept. */
  match_image_url: string | null;
  status: Status;
  is_blocklisted: boolean;
  /** How many strangers can be expected to be as near, only when the settings ask for it. */
  expected_false_matches?: number;
}

export interface Entity {
  /** In years, with one decimal. Null where it is unknown. */
  age: string | null;
  /** Left, top, right and bottom, in pixels of the upright picture. */
  bbox: [number, number, number, number];
  /** From 0 to 1. */
  confidence: number;
  gender: "male" | "female" | null;
}

export interface Warning {
  risk: string;
  additional_data: string | null;
  log_type: "information" | "warning" | "error";
  short_description: string;
  long_description: string;
}

/** Any answer that is no success. */
export interface Refusal {
  error: string;
  detail: string;
}
