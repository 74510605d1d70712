// The answer of POST /v3/face-search/ as programs written for the hosted API expect it, in
// TypeScript's own types. The tests assign real answers to it as literals, so that a field
// too many, too few or of another type is an error.

type Outcome = "Approved" | "In Review" | "Declined";

export interface HostedFaceSearch {
  request_id: string;
  face_search: {
    status: Outcome;
    total_matches: number;
    matches: {
      session_id: string;
      session_number: number;
      similarity_percentage: number;
      vendor_data: string | null;
      verification_date: string;
      user_details: { name: string; document_type: string; document_number: string };
      match_image_url: string;
      status: Outcome;
      is_blocklisted: boolean;
    }[];
    user_image: {
      entities: { age: string; bbox: [number, number, number, number]; confidence: number; gender: "male" | "female" | null }[];
      best_angle: 0 | 90 | 180 | 270;
    };
    warnings: {
      risk: string;
      additional_data: string | null;
      log_type: "information" | "warning" | "error";
      short_description: string;
      long_description: string;
    }[];
  };
}
